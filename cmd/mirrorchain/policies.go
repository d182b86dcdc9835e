package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/idms"
)

// policies is what the sources said, and the rules made of it.
type policies struct {
	rules  *policy.Rules
	loaded []policy.Policy
	// insecureAll is --tls-verify=false: every endpoint may be asked insecurely.
	insecureAll bool
	// delivery are the rules that say where images have to go: rules, unless --from is
	// given.
	delivery *policy.Rules
}

// loadPolicies reads every source once and merges them. It tells on stderr what a person
// should know, except for warnings, which are the caller's to tell.
func (a *app) loadPolicies(ctx context.Context) (*policies, error) {
	if a.view != nil {
		return a.view.policies, nil
	}
	if err := a.checkOptions(); err != nil {
		return nil, err
	}
	srcs, err := a.openSources(ctx)
	if err != nil {
		return nil, err
	}
	p := &policies{insecureAll: !a.opts.tlsVerify}
	for _, src := range srcs {
		policy, err := src.Load(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("%s%w", unlessNamed("reading "+src.Name()+": ", err), err)
		}
		a.verbosef("%s: %s", src.Name(), sayPolicy(policy))
		if n := len(policy.Skipped); n > 0 {
			a.notef("%s: skipped %s", src.Name(), notices.CountSkipped(policy.Skipped))
		}
		p.loaded = append(p.loaded, policy)
	}
	if len(a.opts.sources) == 0 && len(a.opts.registryOverrides) == 0 && a.fromPaths() == "" {
		a.notef("no policies: no --source was given, so images are looked for at their own registry only")
	}
	p.rules, err = policy.NewRules(policy.RulesConfig{
		Strict: a.opts.strict, TagsFollowDigestRules: a.opts.tagsFollowDigest,
	}, p.loaded...)
	if err != nil {
		a.warnAll(p.warnings())
		if e, ok := errors.AsType[*policy.InvalidPolicyError](err); ok && strings.HasPrefix(e.Origin, "--") {
			return nil, &failure.Usage{Err: err} // a flag's own value
		}
		return nil, fmt.Errorf("%s%w", unlessNamed("merging the policies: ", err), err)
	}
	p.delivery = p.rules
	if a.fromPaths() != "" {
		if err := p.onDisk(); err != nil {
			return nil, err
		}
	}
	return p, context.Cause(ctx)
}

// openSources opens the sources of the -s flags in order, then what the other flags say.
func (a *app) openSources(ctx context.Context) ([]policy.OverrideSource, error) {
	registry, err := sources.NewSchemes(append(assembly.Mirrorchain(a.deps()).Sources, wholeCluster(a.deps()))...)
	if err != nil {
		return nil, err
	}
	var srcs []policy.OverrideSource
	for _, spec := range eachOfCluster(a.opts.sources) {
		if err := unlikelyPath(spec); err != nil {
			return nil, err
		}
		src, err := registry.Open(ctx, file.Spec(spec, registry))
		if err != nil {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			if policy, ok := errors.AsType[*policy.InvalidPolicyError](err); ok {
				err = policy // it names the file; the rest would only say it again
			}
			return nil, err
		}
		srcs = append(srcs, src)
	}
	flags, err := a.flagPolicy()
	if err != nil {
		return nil, err
	}
	if len(flags.Rules)+len(flags.Insecure)+len(flags.Blocked) > 0 {
		srcs = append(srcs, sources.Static("flags", flags))
	}
	return srcs, nil
}

// unlessNamed returns prefix, and "" if err itself says which entry is wrong.
func unlessNamed(prefix string, err error) string {
	if e, ok := errors.AsType[*policy.InvalidPolicyError](err); ok && e.Origin != "" {
		return ""
	}
	return prefix
}

func (a *app) flagPolicy() (policy.Policy, error) {
	var p policy.Policy
	for _, v := range a.opts.registryOverrides {
		rules, err := handover.ParseRegistryOverrides(v, "--registry-overrides")
		if err != nil {
			return p, &failure.Usage{Err: err}
		}
		p.Rules = append(p.Rules, rules...)
	}
	for _, s := range a.opts.insecure {
		p.Insecure = append(p.Insecure, policy.Scope{Name: s, Origin: "--insecure-registry"})
	}
	for _, s := range a.opts.blocked {
		p.Blocked = append(p.Blocked, policy.Scope{Name: s, Origin: "--blocked-registry"})
	}
	return p, nil
}

func sayPolicy(p policy.Policy) string {
	s := words.Plural(len(p.Rules), "rule")
	if n := len(p.Insecure); n > 0 {
		s += ", " + words.Plural(n, "insecure scope")
	}
	if n := len(p.Blocked); n > 0 {
		s += ", " + words.Plural(n, "blocked scope")
	}
	return s
}

func (a *app) deps() assembly.Deps {
	return assembly.Deps{
		LookupEnv: a.sys.LookupEnv, Stdin: a.sys.Stdin, HostedCluster: a.opts.hostedCluster, Observers: []chain.Observer{a.observer()},
		Cluster: idms.Config{Kubeconfig: a.opts.kubeconfig, Context: a.opts.kubeContext},
	}
}

// explain does what Rules.Explain does, with what --tls-verify=false changes.
func (p *policies) explain(ref refArg) (policy.Explanation, error) {
	x, err := p.rules.Explain(ref.Ref)
	if p.insecureAll {
		for i := range x.Candidates {
			x.Candidates[i].Insecure, x.Candidates[i].InsecureBy = true, &policy.Scope{Name: "--tls-verify=false"}
		}
	}
	return x, err
}
