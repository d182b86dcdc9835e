package operator

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Lookups end with the rules that they are by, and nothing of the watching is left.
func TestWhileInForce(t *testing.T) {
	rules := func(target string) *provider.Rules {
		r, err := provider.NewRules(provider.RulesConfig{}, provider.Policy{Rules: []provider.Rule{
			{Source: "a.io", Mirrors: []provider.Mirror{{Location: target}}, Pull: provider.PullAny},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	synctest.Test(t, func(t *testing.T) {
		changes := make(chan *provider.Rules)
		follow := func(ctx context.Context) iter.Seq[*provider.Rules] {
			return func(yield func(*provider.Rules) bool) {
				for {
					select {
					case <-ctx.Done():
						return
					case now := <-changes:
						if !yield(now) {
							return
						}
					}
				}
			}
		}
		ctx, leave := WhileInForce(t.Context(), follow, rules("b.io"))
		changes <- rules("b.io") // as Changes begins
		synctest.Wait()
		if ctx.Err() != nil {
			t.Errorf("ended by its own rules: %v", context.Cause(ctx))
		}
		changes <- rules("c.io")
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), ErrRulesChanged) {
			t.Errorf("ended by %v", context.Cause(ctx))
		}
		leave()

		ctx, leave = WhileInForce(t.Context(), follow, rules("b.io"))
		leave()
		if ctx.Err() == nil || errors.Is(context.Cause(ctx), ErrRulesChanged) {
			t.Errorf("left with %v", context.Cause(ctx))
		}
	})
}
