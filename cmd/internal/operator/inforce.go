package operator

import (
	"context"
	"errors"
	"iter"

	"github.com/mirrorchain/mirrorchain/policy"
)

// ErrRulesChanged is the cause of the end of work that follows rules which are not in force
// any more; see [WhileInForce].
var ErrRulesChanged = errors.New("the mirror rules have changed")

// WhileInForce returns ctx until other rules than these are in force, which ends it with
// [ErrRulesChanged] as its cause. It is for lookups: what follows from new rules must
// not wait for registries that the old ones name. changes yields the rules in force and
// each later version, as [sources.Resolver.Changes] does. leave ends what watches them,
// and returns when nothing of it is left; it is called once.
func WhileInForce(ctx context.Context, changes func(context.Context) iter.Seq[*policy.Rules], rules *policy.Rules) (inForce context.Context, leave func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for now := range changes(ctx) {
			if now.Version() != rules.Version() {
				cancel(ErrRulesChanged)
				return
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}
