package kube

import (
	"context"
	"errors"
	"fmt"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/internal/kubeclient"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/internal/objects"
)

// Config says which cluster to ask, and how. It is the same type for all sources
// on clusters.
type Config = kubeclient.Config

// Factory makes the plugin for kind on the cluster that cfg names. Opening it
// fails for a kubeconfig that cannot be used, and never because the cluster does
// not answer.
func Factory(kind Kind, cfg Config) sources.Factory {
	return sources.Factory{
		Scheme: kind.scheme,
		Help:   kind.help,
		Open: func(_ context.Context, arg string) (policy.OverrideSource, error) {
			if arg != "" {
				return nil, &sources.SpecError{Spec: kind.scheme + ":" + arg, Err: errors.New("it takes no argument; it reads the whole cluster")}
			}
			return open(kind, cfg)
		},
	}
}

// source reads the objects of one kind. It keeps nothing between calls.
type source struct {
	kind Kind
	*kubeclient.Client
	payload *kubeclient.Client // of the ClusterVersion; nil for a kind that blocks nothing
}

func open(kind Kind, cfg Config) (*source, error) {
	client, err := kubeclient.New(cfg, kubeclient.Resource{
		Group: kind.resource.Group, Versions: []string{kind.resource.Version}, Resource: kind.resource.Resource, Only: kind.only,
	}, configv1.Install, operatorv1alpha1.Install)
	if err != nil {
		return nil, err
	}
	s := &source{kind: kind, Client: client}
	if kind.payload {
		s.payload, err = kubeclient.New(cfg, kubeclient.Resource{
			Group: configv1.GroupName, Versions: []string{"v1"}, Resource: "clusterversions", Only: objects.ClusterVersionName,
		}, configv1.Install)
	}
	return s, err
}

// Name returns the scheme: there is one cluster.
func (s *source) Name() string { return s.kind.scheme }

// Load lists the objects. An error that is no [*policy.InvalidPolicyError] says
// that the cluster is away, which includes that it forbids us to read.
func (s *source) Load(ctx context.Context) (policy.Policy, error) {
	list := s.kind.list()
	present, err := s.List(ctx, func(r rest.Result) error { return r.Into(list) })
	switch {
	case err != nil:
		return policy.Policy{}, err
	case !present:
		return s.nothing(), nil
	}
	p, err := s.kind.convert(list)
	if err == nil && s.payload != nil && len(p.Blocked) > 0 {
		err = s.addPayload(ctx, &p)
	}
	return p, err
}

// addPayload notes which release the cluster runs. A cluster without a ClusterVersion has
// no release whose pulls could be blocked.
func (s *source) addPayload(ctx context.Context, p *policy.Policy) error {
	var versions configv1.ClusterVersionList
	if _, err := s.payload.List(ctx, func(r rest.Result) error { return r.Into(&versions) }); err != nil {
		return err
	}
	for _, v := range versions.Items {
		objects.AddPayload(p, v.Status.Desired.Image, "clusterversion/"+v.Name)
	}
	return nil
}

// nothing returns what a cluster says that does not have the kind.
func (s *source) nothing() policy.Policy {
	what := s.kind.resource.GroupResource().String()
	return policy.Policy{Warnings: []policy.Warning{{
		Code:    policy.WarnKindAbsent,
		Origins: []string{what},
		Message: fmt.Sprintf("the cluster does not have %s: no rules come from them until they are installed", what),
	}}}
}
