package policy

import "context"

// OverrideSource is one place that states mirror policies: a file, a cluster, a
// variable. Implementations are safe for concurrent use.
type OverrideSource interface {
	// Name returns a name for messages to people, such as "file:policies.yaml".
	Name() string
	// Load returns all that it states now, not only what has changed. The error is an
	// [*InvalidPolicyError] if the policies have to be edited. Any other error means that
	// the place cannot be reached now.
	Load(ctx context.Context) (Policy, error)
}

// Watcher is an OverrideSource that can also tell when to Load again.
type Watcher interface {
	OverrideSource
	// Watch calls changed whenever the answer of Load may have changed, until ctx ends or
	// watching fails. It also calls changed once when it begins to watch, so that no change
	// since the last Load is lost. It may call changed too often, never too rarely, and
	// from one goroutine at a time. It returns ctx.Err() if ctx ended, and otherwise the
	// reason why watching failed. Its caller decides whether to call it again.
	Watch(ctx context.Context, changed func()) error
}
