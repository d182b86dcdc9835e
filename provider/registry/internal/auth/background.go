package auth

import (
	"context"
	"sync"
)

// Background is where token requests run: they outlive the caller that began them, and
// end with Close. It is safe for concurrent use.
type Background struct {
	ctx context.Context
	end context.CancelFunc

	mu    sync.Mutex // held where group counts up: nothing is added once it is waited for
	group sync.WaitGroup
}

// NewBackground returns a Background; close it.
func NewBackground() *Background {
	b := &Background{}
	b.ctx, b.end = context.WithCancel(context.Background())
	return b
}

// run runs f beside its caller. It reports false, and runs nothing, after Close.
func (b *Background) run(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		return false
	}
	b.group.Go(f)
	return true
}

// Close ends what runs, and waits for it.
func (b *Background) Close() {
	b.mu.Lock()
	b.end()
	b.mu.Unlock()
	b.group.Wait()
}
