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
	// Live also fills each component's PullFrom, for processes that pull without a
	// container runtime.
	Live bool
}

// Translate makes each component's Image what may be handed on: its canonical
// reference as Rewrite rules change it, and nothing else. Mirror rules never enter
// it, because nodes apply them again. With Live, PullFrom holds the candidates of
// the canonical reference, in order. Both depend on the rules alone, never on
// which mirror is up.
//
// A component whose candidates cannot be computed, because a mirror makes no valid
// reference of it, or that policy blocks altogether, has an empty PullFrom; the
// others are not affected. Asking for that image says what is wrong, by name of
// the rule.
//
// The work is done once per release and version of the rules, and remembered with
// the release. It stands outside Components, whose replacements are translated
// too, and outside Cache, so that remembered releases follow a change of rules.
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

// translation is the key of a translated release.
type translation struct {
	rules string
	live  bool
}

// boxedKey spares a warm lookup the allocation of its key.
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
			refs[i] = c.Image // the same, in memory that is held already
		}
	}
	return refs
}
