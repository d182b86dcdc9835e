package sources

import (
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
)

// SourceStatus is what is known of one source, for readiness, metrics and people.
type SourceStatus struct {
	Name string // the source's own
	// Loaded says that the source has loaded at least once.
	Loaded bool
	// LastGood is when it last loaded, zero if never.
	LastGood time.Time
	// Err is the reason why the current policy of the source is not in force: its last load
	// failed, or the policy cannot be merged with the others. Then the last good policy of
	// the source stays in force. Nil if all is well.
	Err error
	// WatchErr is why following the source failed; it is tried again.
	WatchErr error
	// Rules, Insecure and Blocked count what the source said when it last loaded.
	Rules, Insecure, Blocked int
	// Skipped and Warnings are those of the last good load. Shared: do not modify.
	Skipped  []policy.SkippedObject
	Warnings []policy.Warning
}

// Status returns the state of every source, in the order in which they were
// given.
func (r *Resolver) Status() []SourceStatus {
	out := make([]SourceStatus, len(r.srcs))
	for i, s := range r.srcs {
		out[i].Name = s.src.Name() // a source's own method: not under our lock
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, s := range r.srcs {
		st := &out[i]
		st.LastGood, st.WatchErr = s.lastGood, s.watchErr
		if st.Err = s.loadErr; st.Err == nil {
			st.Err = s.mergeErr
		}
		if p := s.loaded; p != nil {
			st.Loaded = true
			st.Rules, st.Insecure, st.Blocked = len(p.Rules), len(p.Insecure), len(p.Blocked)
			st.Skipped, st.Warnings = p.Skipped, p.Warnings
		}
	}
	return out
}
