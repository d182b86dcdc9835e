package policy

import "context"

// OverrideSource is one place that states mirror policies: a file, a cluster, a
// variable. Implementations are safe for concurrent use.
type OverrideSource interface {
	// Name returns the name by which a person would point at it: "file:policies.yaml".
	Name() string
	// Load returns the complete set of what it states now, never a delta. The error is
	// an [*InvalidPolicyError] if waiting cannot mend it. Any other error means that it
	// cannot be reached now.
	Load(ctx context.Context) (Policy, error)
}

// Watcher is an OverrideSource that can also tell when to Load again.
type Watcher interface {
	OverrideSource
	// Watch calls changed, from one goroutine at a time, whenever Load may
	// answer differently, until ctx ends or watching fails. It calls it once as
	// soon as it watches, so that no change since the last Load is lost. A signal
	// carries no payload and may come too often, never too rarely. It returns ctx.Err()
	// when ctx ended, and why watching failed otherwise; its caller decides
	// whether to call it again.
	Watch(ctx context.Context, changed func()) error
}
