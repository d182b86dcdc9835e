package filecache

import (
	"context"
	"fmt"
)

// flight is one download that callers wait for.
type flight struct {
	done    chan struct{} // closed when err is set and what has to go for the entry is gone
	cancel  context.CancelFunc
	waiting int
	entry   *entry // once it is there, pinned for each that waits
	err     error
}

// acquire returns the entry of id, pinned, and fetches it first if it is not there.
func (c *Cache) acquire(ctx context.Context, id string, fetch Fetch) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, errClosed
	}
	if el := c.entries[id]; el != nil {
		e := el.Value.(*entry)
		e.pins++
		c.recent.MoveToFront(el)
		c.stats.Hits++
		c.mu.Unlock()
		return e, nil
	}
	f := c.flights[id]
	if f == nil {
		f = c.start(id, fetch)
	}
	f.waiting++
	c.mu.Unlock()

	select {
	case <-f.done:
		return f.entry, f.err
	case <-ctx.Done():
		c.leave(id, f)
		return nil, ctx.Err()
	}
}

// start begins a download. The caller holds the lock.
func (c *Cache) start(id string, fetch Fetch) *flight {
	ctx, cancel := context.WithCancel(c.base)
	f := &flight{done: make(chan struct{}), cancel: cancel}
	c.flights[id] = f
	c.stats.Misses++
	c.running.Go(func() {
		defer cancel()
		e, err := c.download(ctx, id, fetch)

		c.mu.Lock()
		if c.flights[id] == f {
			delete(c.flights, id)
		}
		var doomed []*entry
		if f.entry, f.err = e, err; err == nil {
			e.pins = f.waiting
			doomed = c.add(e)
		}
		c.mu.Unlock()
		c.remove(doomed) // before anybody hears of the entry: with it the disk is within bounds
		close(f.done)
	})
	return f
}

// leave takes a caller that gives up out of f. A download that nobody waits for is ended,
// and later callers do not join it.
func (c *Cache) leave(id string, f *flight) {
	c.mu.Lock()
	if e := f.entry; e != nil { // it came at the same moment
		c.mu.Unlock()
		c.release(e, false)
		return
	}
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		if c.flights[id] == f {
			delete(c.flights, id)
		}
	}
	c.mu.Unlock()
}

// download fetches and writes. A panic of fetch is an error of this key alone.
func (c *Cache) download(ctx context.Context, id string, fetch Fetch) (e *entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			e, err = nil, fmt.Errorf("file cache: reading an image: panic: %v", p)
		}
	}()
	return c.create(ctx, id, fetch)
}
