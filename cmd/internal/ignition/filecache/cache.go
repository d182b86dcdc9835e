package filecache

import (
	"cmp"
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
)

// Config configures [Open].
type Config struct {
	// Dir is where files are kept. It is created if it does not exist. It belongs to one
	// cache at a time.
	Dir string
	// MaxBytes bounds what is kept; 0 is 2 GiB. Entries that are in use are kept whatever
	// the bound says, and so is what a download has on disk until it is complete.
	MaxBytes int64
}

// Key says which files of which image.
type Key struct {
	// Image is the digest of the image's manifest, "sha256:...".
	Image string
	// Files are names and patterns as [provider.Image] reads them, in any order.
	Files []string
}

// id returns the key as part of a file name.
func (k Key) id() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", k.Image)
	for _, f := range slices.Sorted(slices.Values(k.Files)) {
		fmt.Fprintf(h, "%q\n", f)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Fetch writes the files of a key from the image into a directory. Its context ends when
// nobody waits for the files any more, and has none of a caller's values.
type Fetch func(ctx context.Context, into *os.Root) error

// Stats says what a cache holds and did.
type Stats struct {
	Entries      int
	Bytes        int64 // on disk, those that are being removed among them
	Hits, Misses int64 // uses of what was there, and downloads
	Damaged      int64 // entries that were not what was written, and were removed
}

// Cache is a bounded cache of image files. All methods may be called from many
// goroutines at once.
type Cache struct {
	root    *os.Root
	max     int64
	base    context.Context // of all downloads
	stop    context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // never held while a file or the network is waited for
	entries map[string]*list.Element
	recent  *list.List // of *entry, the last used first
	kept    int64      // bytes of entries and of what was forgotten and is in use
	flights map[string]*flight
	stats   Stats
	closed  bool
}

// entry is what is kept of one key.
type entry struct {
	id    string // of its key
	name  string // of its directory
	files []file
	size  int64
	pins  int // uses
	gone  bool
}

var errClosed = errors.New("the file cache is closed")

// Open opens the cache in cfg.Dir, with what an earlier one left there. It removes what
// was left half-written and leaves other files alone.
func Open(cfg Config) (*Cache, error) {
	if cfg.MaxBytes < 0 {
		return nil, fmt.Errorf("file cache: MaxBytes is negative (%d)", cfg.MaxBytes)
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("file cache: %w", err)
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("file cache: %w", err)
	}
	base, stop := context.WithCancel(context.Background())
	c := &Cache{
		root: root, max: cmp.Or(cfg.MaxBytes, 2<<30), base: base, stop: stop,
		entries: make(map[string]*list.Element), recent: list.New(), flights: make(map[string]*flight),
	}
	if err := c.load(); err != nil {
		stop()
		root.Close()
		return nil, fmt.Errorf("file cache: %w", err)
	}
	return c, nil
}

// Close ends downloads under way, waits for them and closes the directory. What is kept
// stays for the next [Open].
func (c *Cache) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	c.stop()
	c.running.Wait()
	return c.root.Close()
}

// Stats returns what the cache holds and did so far.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Entries = len(c.entries)
	return s
}

// load takes stock of the directory.
func (c *Cache) load() error {
	dirs, err := fs.ReadDir(c.root.FS(), ".")
	if err != nil {
		return err
	}
	type remnant struct {
		*entry
		info fs.FileInfo
	}
	var found []remnant
	for _, d := range dirs {
		name := d.Name()
		_, _, _, ours := parseName(name)
		if !ours && !strings.HasPrefix(name, temporary) {
			continue
		}
		info, err := d.Info()
		if err == nil && ours {
			if e, err := c.read(name); err == nil {
				found = append(found, remnant{e, info})
				continue
			}
		}
		if err := c.root.RemoveAll(name); err != nil {
			return err
		}
	}
	slices.SortFunc(found, func(a, b remnant) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	var doomed []*entry
	for _, f := range found {
		doomed = append(doomed, c.add(f.entry)...)
	}
	c.remove(doomed)
	return nil
}

// add makes e the newest entry and returns the entries to remove for it. The caller
// holds the lock, or is alone.
func (c *Cache) add(e *entry) (doomed []*entry) {
	if old := c.entries[e.id]; old != nil {
		doomed = append(doomed, c.forget(old)...)
	}
	c.entries[e.id] = c.recent.PushFront(e)
	c.kept += e.size
	c.stats.Bytes += e.size
	return append(doomed, c.evict()...)
}

// evict forgets the entries that were not used for the longest time until the rest is
// within bounds.
func (c *Cache) evict() (doomed []*entry) {
	for el := c.recent.Back(); el != nil && c.kept > c.max; {
		older := el.Prev()
		if el.Value.(*entry).pins == 0 {
			doomed = append(doomed, c.forget(el)...)
		}
		el = older
	}
	return doomed
}

// forget drops an entry. It returns it if it is to be removed now; one in use is removed
// by its last user.
func (c *Cache) forget(el *list.Element) []*entry {
	e := el.Value.(*entry)
	c.recent.Remove(el)
	delete(c.entries, e.id)
	e.gone = true
	if e.pins > 0 {
		return nil
	}
	c.kept -= e.size
	return []*entry{e}
}

// release ends a use of e.
func (c *Cache) release(e *entry, damaged bool) {
	c.mu.Lock()
	if damaged && !e.gone {
		c.stats.Damaged++
		c.forget(c.entries[e.id])
	}
	e.pins--
	var doomed []*entry
	if e.gone && e.pins == 0 {
		c.kept -= e.size
		doomed = append(doomed, e)
	}
	doomed = append(doomed, c.evict()...)
	c.mu.Unlock()
	c.remove(doomed)
}

// remove deletes entries that nobody refers to. One that cannot be deleted is found
// again by the next Open.
func (c *Cache) remove(doomed []*entry) {
	for _, e := range doomed {
		_ = c.root.RemoveAll(e.name)
		c.mu.Lock()
		c.stats.Bytes -= e.size
		c.mu.Unlock()
	}
}
