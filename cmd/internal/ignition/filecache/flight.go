package filecache

import (
	"context"
	"fmt"
)

// flight is one download that callers wait for.
type flight struct {
	done    chan struct{} // closed when entry and err are set
	cancel  context.CancelFunc
	waiting int
	entry   *entry // pinned once for each who waits
	err     error
}

// acquire returns the entry of id, pinned, and gets it first if need be.
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
		var doomed []string
		if f.entry, f.err = e, err; err == nil {
			e.pins = f.waiting
			doomed = c.add(e)
		}
		close(f.done)
		c.mu.Unlock()
		c.remove(doomed)
	})
	return f
}

// leave is for a caller that gives up. A download that nobody waits for is ended,
// and not joined by whoever comes next.
func (c *Cache) leave(id string, f *flight) {
	c.mu.Lock()
	select {
	case <-f.done: // it came at the same moment
		e := f.entry
		c.mu.Unlock()
		if e != nil {
			c.release(e, false)
		}
		return
	default:
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
	files, err := fetch(ctx)
	if err != nil {
		return nil, err
	}
	return c.write(ctx, id, files)
}
