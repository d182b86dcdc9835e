package flight

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Call is what shared work and its callers tell each other. The work learns when its
// first caller leaves; a caller that leaves early learns how far the work has come.
// A context that a [Group] makes carries it, and no other value. All methods may be
// called from many goroutines, and on a nil Call, which stands for work that is not
// shared.
type Call struct {
	softDeadline time.Time // zero: none
	deadline     time.Time // of the first caller

	mu       sync.Mutex
	asking   []imageref.Ref // endpoints that have not answered yet
	attempts []provider.Attempt
	cutShort bool
}

type callKey struct{}

// newCall returns a Call for a first caller with ctx. The soft deadline is a little
// before the deadline of ctx, so that there is time left to pass the outcome on.
func newCall(ctx context.Context) *Call {
	deadline, ok := ctx.Deadline()
	if !ok {
		return &Call{}
	}
	return &Call{deadline: deadline, softDeadline: deadline.Add(-time.Until(deadline) / 20)}
}

// CallOf returns the Call that ctx belongs to, nil if there is none.
func CallOf(ctx context.Context) *Call {
	c, _ := ctx.Value(callKey{}).(*Call)
	return c
}

// SoftDeadline returns the time at which the first caller leaves. Work divides the
// time until then between the endpoints it asks, and may go on later for others.
// It is false if the first caller has no deadline.
func (c *Call) SoftDeadline() (time.Time, bool) {
	if c == nil {
		return time.Time{}, false
	}
	return c.softDeadline, !c.softDeadline.IsZero()
}

// Started records that ref is being asked.
func (c *Call) Started(ref imageref.Ref) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking = append(c.asking, ref)
}

// Ended records an attempt that has ended.
func (c *Call) Ended(a provider.Attempt) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.Index(c.asking, a.Ref); i >= 0 {
		c.asking = slices.Delete(c.asking, i, i+1)
	}
	c.attempts = append(c.attempts, a)
}

// Progress returns the attempts that have ended, and the endpoint that has been asked
// for the longest time without an answer; zero if there is none.
func (c *Call) Progress() (ended []provider.Attempt, asking imageref.Ref) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.asking) > 0 {
		asking = c.asking[0]
	}
	return slices.Clone(c.attempts), asking
}

// CutShort records that an endpoint got less time than usual because of the soft
// deadline. A failure then says nothing to callers that have more time.
func (c *Call) CutShort() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cutShort = true
}

// WasCutShort reports whether CutShort was called.
func (c *Call) WasCutShort() bool {
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cutShort
}

// HasMoreTime reports whether ctx leaves at least twice the time that the first caller
// has left, so that work which was cut short may succeed in a second try. With less,
// callers with about the same deadline would try one after another.
func (c *Call) HasMoreTime(ctx context.Context) bool {
	d, ok := ctx.Deadline()
	return !ok || time.Until(d) > 2*max(time.Until(c.deadline), 0)
}
