package chain

import (
	"context"
	"sync/atomic"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// TranslateConfig configures [Translate].
type TranslateConfig struct {
	// Live also fills the PullFrom of each component, for processes that pull images
	// themselves, without a container runtime that applies mirrors.
	Live bool
}

// Translate returns the layer "translate". It sets the Image of each component to the
// reference that a program hands on, for example to a pod: the canonical reference, as
// Rewrite rules change it. Mirror rules do not change it, because nodes apply those
// themselves. With Live, PullFrom holds the candidates of the canonical reference, in
// order. Both depend on the rules alone, not on which mirror is available.
//
// PullFrom is empty if policy blocks all candidates of a component, or if a mirror makes
// no valid reference of it. Other components are not affected. The error of a request
// for that image names the rule.
//
// The work is done once per release and version of the rules, and kept with the release.
//
// Translate belongs above Components, whose replacements are translated too, and above
// Cache, so that cached releases follow a change of the rules.
func Translate(cfg TranslateConfig) Layer {
	above := []string{"components", "cache", "mirrors", "store"}
	return layer("translate", above, func(Observer) Middleware {
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			return &translate{next: next, live: cfg.Live}, nil
		}
	})
}

type translate struct {
	next provider.ReleaseProvider
	live bool
	last atomic.Pointer[boxedKey]
}

// translation is the key of a translated view, see [provider.Release.Derive].
type translation struct {
	rules string
	live  bool
}

// boxedKey keeps the key of the current rules in an interface, so that a warm lookup
// does not allocate one.
type boxedKey struct {
	rules *policy.Rules
	key   any // a translation
}

func (t *translate) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	r, err := t.next.Lookup(ctx, req)
	if err != nil || req.Rules == nil {
		return r, err
	}
	return t.apply(r, req.Rules), nil
}

func (t *translate) apply(r *provider.Release, rules *policy.Rules) *provider.Release {
	last := t.last.Load()
	if last == nil || last.rules != rules {
		last = &boxedKey{rules, translation{rules.Version(), t.live}}
		t.last.Store(last)
	}
	return r.Derive(last.key, func(d *provider.ReleaseData) {
		for i := range d.Components {
			c := &d.Components[i]
			c.Image = rules.Rewrite(c.Canonical)
			if t.live {
				c.PullFrom = pullFrom(rules, c)
			}
		}
	})
}

func pullFrom(rules *policy.Rules, c *provider.Component) []imageref.Ref {
	cands, err := rules.Candidates(c.Canonical)
	if err != nil {
		return nil
	}
	refs := make([]imageref.Ref, len(cands))
	for i, cand := range cands {
		refs[i] = cand.Ref
		if cand.Ref == c.Image {
			refs[i] = c.Image // equal, and already in memory
		}
	}
	return refs
}
