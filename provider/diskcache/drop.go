package diskcache

import (
	"errors"
	"io/fs"
	"os"
)

// drop removes a file, which takes no room on the disk. Where it cannot be removed it
// is emptied, which makes it something else than what was written; and where that is
// refused too, it is gone as far as this process is concerned.
func (b *bucket) drop(name string) {
	err := b.root.Remove(name)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		b.undrop(name)
		return
	}
	if f, e := b.root.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0); e == nil && f.Close() == nil {
		b.undrop(name)
		return
	}
	b.refusals.add(err)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped == nil {
		b.dropped = make(map[string]bool)
	}
	b.dropped[name] = true
}

// undrop notes that what was to be gone is: or that something new is in its place.
func (b *bucket) undrop(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.dropped, name)
}

func (b *bucket) wasDropped(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped[name]
}
