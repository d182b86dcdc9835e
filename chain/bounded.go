package chain

import (
	"sync"
	"sync/atomic"
)

// bounded is a map that holds at most max bytes; its user states the size of each value.
// It is safe for concurrent use. Reading takes a shared lock and allocates nothing.
//
// Entries are evicted by the SIEVE algorithm: a hand moves from the oldest entry to the
// newest, skips entries that were read since its last pass, and evicts the first that
// was not. Unlike LRU this keeps entries in use when many others are asked for once, and
// a read only sets a flag.
type bounded[K comparable, V any] struct {
	max int64

	mu             sync.RWMutex
	used           int64
	entries        map[K]*node[K, V]
	newest, oldest *node[K, V]
	hand           *node[K, V]
}

type node[K comparable, V any] struct {
	key          K
	val          V
	size         int64
	read         atomic.Bool
	newer, older *node[K, V]
}

func (b *bounded[K, V]) get(key *K) (V, bool) {
	b.mu.RLock()
	n := b.entries[*key]
	b.mu.RUnlock()
	if n == nil {
		var zero V
		return zero, false
	}
	if !n.read.Load() { // avoids writes to a cache line that all readers share
		n.read.Store(true)
	}
	return n.val, true
}

// put stores val in place of the old value. A value larger than max is not stored.
func (b *bounded[K, V]) put(key K, val V, size int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.entries[key]
	if old != nil {
		b.remove(old)
	}
	if size > b.max {
		return
	}
	for b.used+size > b.max {
		b.evict()
	}
	n := &node[K, V]{key: key, val: val, size: size, older: b.newest}
	if old != nil {
		n.read.Store(old.read.Load())
	}
	if b.newest != nil {
		b.newest.newer = n
	} else {
		b.oldest = n
	}
	b.newest = n
	if b.entries == nil {
		b.entries = make(map[K]*node[K, V])
	}
	b.entries[key] = n
	b.used += size
}

// drop removes the entry of key.
func (b *bounded[K, V]) drop(key *K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.entries[*key]; n != nil {
		b.remove(n)
	}
}

func (b *bounded[K, V]) evict() {
	n := b.hand
	for {
		if n == nil {
			n = b.oldest
		}
		if !n.read.Swap(false) {
			break
		}
		n = n.newer
	}
	b.hand = n.newer
	b.remove(n)
}

func (b *bounded[K, V]) remove(n *node[K, V]) {
	if b.hand == n {
		b.hand = n.newer
	}
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		b.newest = n.older
	}
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		b.oldest = n.newer
	}
	delete(b.entries, n.key)
	b.used -= n.size
}
