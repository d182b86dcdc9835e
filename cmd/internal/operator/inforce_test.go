package operator

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Lookups end with the rules that they are by, and nothing of the watching is left.
func TestWhileInForce(t *testing.T) {
	rules := func(target string) *policy.Rules {
		r, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{
			{Source: "a.io", Mirrors: []policy.Mirror{{Location: target}}, Pull: policy.PullAny},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	synctest.Test(t, func(t *testing.T) {
		changes := make(chan *policy.Rules)
		follow := func(ctx context.Context) iter.Seq[*policy.Rules] {
			return func(yield func(*policy.Rules) bool) {
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
