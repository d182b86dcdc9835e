// Package cluster is the source of all mirror policies of an OpenShift cluster: the
// objects that packages icsp, idms, itms and imageconfig read one kind of, under one spec.
//
// It is a package of its own, because it brings a client for Kubernetes into the program
// that imports it.
package cluster

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/mirrorchain/mirrorchain/internal/kubeclient"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube"
)

// Config says which cluster to ask, and how. It is the same type for all sources
// on clusters.
type Config = kube.Config

// scheme is the part of the spec before the colon.
const scheme = "cluster"

// Factory returns the factory for "cluster:", all kinds of policies of the cluster that cfg names. The source
// is a policy.Watcher. It needs get, list and watch on the kinds.
//
// "cluster:worker" is what the nodes of the MachineConfigPool worker have: registries.conf
// and its drop-ins of the MachineConfig that the machine-config operator rendered for them,
// in which the policies of the cluster are. It is the nodes' truth also while an update is
// under way. It is polled, and needs get and list on machineconfigpools and machineconfigs.
func Factory(cfg Config) sources.Factory {
	return sources.Factory{
		Scheme: scheme,
		Help:   "cluster:[POOL] - all mirror policies of the cluster: ICSP, IDMS, ITMS, and its insecure and blocked registries; with POOL what the nodes of that MachineConfigPool have of them, and their own files",
		Open: func(ctx context.Context, arg string) (policy.OverrideSource, error) {
			if arg != "" {
				spec := scheme + ":" + arg
				src, err := kube.Pool(spec, arg, cfg)
				if err != nil {
					return nil, &sources.SpecError{Spec: spec, Err: err}
				}
				return src, nil
			}
			all := new(source)
			for _, kind := range Kinds(cfg) {
				src, err := kind.Open(ctx, "")
				if err != nil {
					return nil, err
				}
				all.kinds = append(all.kinds, sources.Poll(src, 0))
			}
			return all, nil
		},
	}
}

// Kinds returns the factories of the single kinds: icsp, idms, itms and
// imageconfig. A program that reports on each source by itself opens these.
func Kinds(cfg Config) []sources.Factory {
	return []sources.Factory{
		kube.Factory(kube.ICSP(), cfg), // merged with IDMS, as on nodes since 4.13
		kube.Factory(kube.IDMS(), cfg),
		kube.Factory(kube.ITMS(), cfg),
		kube.Factory(kube.ImageConfig(), cfg),
	}
}

// source is the sum of its kinds.
type source struct{ kinds []policy.Watcher }

func (s *source) Name() string { return scheme }

// Load lists all kinds at the same time. The errors of all that fail are joined.
func (s *source) Load(ctx context.Context) (policy.Policy, error) {
	policies, errs := make([]policy.Policy, len(s.kinds)), make([]error, len(s.kinds))
	var wg sync.WaitGroup
	for i, kind := range s.kinds {
		wg.Go(func() { policies[i], errs[i] = kind.Load(ctx) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return policy.Policy{}, err
	}
	var sum policy.Policy
	for _, p := range policies {
		sum.Rules = slices.Concat(sum.Rules, p.Rules)
		sum.Insecure = slices.Concat(sum.Insecure, p.Insecure)
		sum.Blocked = slices.Concat(sum.Blocked, p.Blocked)
		sum.Payloads = slices.Concat(sum.Payloads, p.Payloads)
		sum.Skipped = slices.Concat(sum.Skipped, p.Skipped)
		sum.Warnings = slices.Concat(sum.Warnings, p.Warnings)
	}
	return sum, nil
}

// Watch watches all kinds until ctx ends or one watch fails, which is told.
func (s *source) Watch(ctx context.Context, changed func()) error {
	var watches []func(context.Context, func()) error
	for _, kind := range s.kinds {
		watches = append(watches, kind.Watch)
	}
	return kubeclient.WatchAll(ctx, changed, watches...)
}
