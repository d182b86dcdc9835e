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
	// Dir is where files are kept. It is made if it is not there. It belongs to one
	// cache at a time.
	Dir string
	// MaxBytes bounds what is kept; 0 is 2 GiB. Files that are being read at the
	// moment are kept whatever the bound says.
	MaxBytes int64
}

// Key says which files of which image.
type Key struct {
	// Image is the digest of the image's manifest, "sha256:...".
	Image string
	// Files are names and patterns as [provider.Image] reads them. Their order does
	// not matter.
	Files []string
}

// id is the key as part of a file name.
func (k Key) id() string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", k.Image)
	for _, f := range slices.Sorted(slices.Values(k.Files)) {
		fmt.Fprintf(h, "%q\n", f)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Fetch reads the files of a key from the image. Its context ends when nobody waits
// for the files any more, and has none of a caller's values.
type Fetch func(ctx context.Context) (fs.FS, error)

// Stats is what a cache holds and did.
type Stats struct {
	Entries      int
	Bytes        int64 // on disk
	Hits, Misses int64 // uses of what was there, and downloads
	Damaged      int64 // entries that were not what was written, and went
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
	flights map[string]*flight
	stats   Stats
	closed  bool
}

// entry is one kept bundle.
type entry struct {
	id   string // of its key
	name string // of its file
	sum  string // hex SHA-256 of the file
	size int64
	pins int // readers
	gone bool
}

var errClosed = errors.New("the file cache is closed")

// Open opens the cache in cfg.Dir, with what an earlier one left there. What was
// left half-written is removed; other files are left alone.
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

// Close ends downloads under way, waits for them and gives up the directory. What
// is kept stays for the next [Open].
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

// Stats is what the cache holds and did so far.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	s.Entries = len(c.entries)
	return s
}

// Extract writes the files of k to into, under their own names, with the
// permissions they have in the image. Files that the image does not have are not
// there afterwards; that is no error. If they are not kept, fetch gets them: once,
// however many callers ask for the same key meanwhile, and each leaves at the end of
// its own ctx. After an error into may hold some of the files.
func (c *Cache) Extract(ctx context.Context, k Key, into *os.Root, fetch Fetch) error {
	id := k.id()
	for attempt := 1; ; attempt++ {
		e, err := c.acquire(ctx, id, fetch)
		if err != nil {
			return err
		}
		err = c.unpack(ctx, e, into)
		damaged := errors.Is(err, errDamaged)
		c.release(e, damaged)
		if !damaged {
			return err
		}
		if attempt == 3 {
			return fmt.Errorf("file cache: the disk does not keep what is written: %w", err)
		}
	}
}

// load takes stock of the directory.
func (c *Cache) load() error {
	files, err := fs.ReadDir(c.root.FS(), ".")
	if err != nil {
		return err
	}
	infos := make([]fs.FileInfo, 0, len(files))
	for _, f := range files {
		if strings.HasPrefix(f.Name(), temporary) {
			if err := c.root.Remove(f.Name()); err != nil {
				return err
			}
			continue
		}
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() {
			infos = append(infos, info)
		}
	}
	slices.SortFunc(infos, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	var doomed []string
	for _, info := range infos {
		id, sum, ok := parseName(info.Name())
		if !ok {
			continue
		}
		doomed = append(doomed, c.add(&entry{id: id, sum: sum, name: info.Name(), size: info.Size()})...)
	}
	c.remove(doomed)
	return nil
}

// add makes e the newest entry and returns the files that have to go for it. The
// caller holds the lock, or is alone.
func (c *Cache) add(e *entry) (doomed []string) {
	if old := c.entries[e.id]; old != nil {
		doomed = append(doomed, c.forget(old)...)
	}
	c.entries[e.id] = c.recent.PushFront(e)
	c.stats.Bytes += e.size
	return append(doomed, c.evict()...)
}

// evict forgets what was not used for longest until the rest is within bounds.
func (c *Cache) evict() (doomed []string) {
	for el := c.recent.Back(); el != nil && c.stats.Bytes > c.max; {
		older := el.Prev()
		if el.Value.(*entry).pins == 0 {
			doomed = append(doomed, c.forget(el)...)
		}
		el = older
	}
	return doomed
}

// forget drops an entry. Its file goes now, or when its last reader is done.
func (c *Cache) forget(el *list.Element) []string {
	e := el.Value.(*entry)
	c.recent.Remove(el)
	delete(c.entries, e.id)
	e.gone = true
	if e.pins > 0 {
		return nil
	}
	c.stats.Bytes -= e.size
	return []string{e.name}
}

// release ends a use of e.
func (c *Cache) release(e *entry, damaged bool) {
	c.mu.Lock()
	if damaged && !e.gone {
		c.stats.Damaged++
		c.forget(c.entries[e.id])
	}
	e.pins--
	var doomed []string
	if e.gone && e.pins == 0 {
		c.stats.Bytes -= e.size
		doomed = append(doomed, e.name)
	}
	doomed = append(doomed, c.evict()...)
	c.mu.Unlock()
	c.remove(doomed)
}

// remove deletes files that nobody refers to. One that cannot be deleted is found
// again by the next Open.
func (c *Cache) remove(names []string) {
	for _, n := range names {
		_ = c.root.Remove(n)
	}
}
