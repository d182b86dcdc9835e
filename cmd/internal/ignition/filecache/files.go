package filecache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
)

// Files are the files of one key while they are in use: until Close they stay, whatever
// the bound of the cache says. It is for one goroutine.
type Files struct {
	cache *Cache
	id    string
	fetch Fetch
	entry *entry
}

// Files returns the files of k. If they are not kept, fetch gets them: once, however
// many callers ask for the same key meanwhile, and each caller may leave at the end of
// its own ctx. The caller closes Files.
func (c *Cache) Files(ctx context.Context, k Key, fetch Fetch) (*Files, error) {
	f := &Files{cache: c, id: k.id(), fetch: fetch}
	var err error
	f.entry, err = c.acquire(ctx, f.id, fetch)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Names yields the names of the files that the image has, sorted.
func (f *Files) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, file := range f.entry.files {
			if !yield(file.Name) {
				return
			}
		}
	}
}

// CopyTo copies the files that want accepts to into, under their own names, with the
// permissions they have in the image; a nil want accepts all. If a kept file is damaged
// the key is fetched again. After an error into may hold some of the files.
func (f *Files) CopyTo(ctx context.Context, into *os.Root, want func(name string) bool) error {
	for attempt := 1; ; attempt++ {
		err := f.cache.copyOut(ctx, f.entry, into, want)
		if !errors.Is(err, errDamaged) {
			return err
		}
		if attempt == 3 {
			return fmt.Errorf("file cache: the disk does not keep what is written: %w", err)
		}
		f.cache.release(f.entry, true)
		f.entry = nil
		if f.entry, err = f.cache.acquire(ctx, f.id, f.fetch); err != nil {
			return err
		}
	}
}

// Close ends the use.
func (f *Files) Close() {
	if f.entry != nil {
		f.cache.release(f.entry, false)
		f.entry = nil
	}
}

// Extract copies all files of k to into: [Cache.Files], [Files.CopyTo] and
// [Files.Close].
func (c *Cache) Extract(ctx context.Context, k Key, into *os.Root, fetch Fetch) error {
	f, err := c.Files(ctx, k, fetch)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.CopyTo(ctx, into, nil)
}
