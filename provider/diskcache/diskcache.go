package diskcache

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Config configures [Open].
type Config struct {
	// Dir is the directory. It is made if it is not there, readable by its user alone.
	// One that belongs to somebody else, or that others can write to, is refused; on a
	// volume that everybody can write to name a directory in it. So is one that is not
	// empty and was not made by Open: no file of anybody else is ever removed.
	Dir string
	// MaxBytes bounds what is kept, as a disk with blocks of 4 KiB counts it; 0 is
	// 2 GiB. State has an eighth of it. While several processes write, each may be
	// ahead of what it knows of the others by a sixteenth.
	MaxBytes int64
	// OnError, if not nil, is told what the disk refused: it is full, read-only, or
	// gave back something else than was written. The cache then does without. Of a
	// state that lasts it is told once; it is over when there was an hour without it.
	// It may be called from many goroutines at once.
	OnError func(error)
}

// Cache is an open directory. All methods may be called from many goroutines at
// once. Open makes one; a nil Cache keeps nothing.
type Cache struct {
	blobs, state *bucket
	names, seals subkey
}

// Open opens the directory, with what earlier processes left there, and removes what
// they left half-written and whatever is over the bound. Where a full or read-only disk
// does not allow that, OnError is told and the Cache is nil, which keeps nothing.
func Open(cfg Config) (*Cache, error) {
	if cfg.Dir == "" {
		return nil, errors.New("disk cache: no directory is named")
	}
	if cfg.MaxBytes < 0 {
		return nil, fmt.Errorf("disk cache: MaxBytes is negative (%d)", cfg.MaxBytes)
	}
	return openOrDoWithout(cfg, func(string) error { return nil })
}

func openOrDoWithout(cfg Config, step func(string) error) (*Cache, error) {
	c, err := open(cfg, step)
	switch {
	case err != nil && refusesWrites(err):
		if cfg.OnError != nil {
			cfg.OnError(fmt.Errorf("disk cache %s: %w; nothing is kept", cfg.Dir, err))
		}
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("disk cache %s: %w", cfg.Dir, err)
	}
	return c, nil
}

// open does the work of Open; step is called at each step of a write, for tests that end the process
// there, and may fail there.
func open(cfg Config, step func(string) error) (*Cache, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := private(root, 0o022, "write to"); err != nil {
		return nil, err
	}
	if err := claim(root); err != nil {
		return nil, err
	}
	refusals := &refusals{report: func(err error) {
		if cfg.OnError != nil && !errors.Is(err, os.ErrClosed) { // what is closed is not used
			cfg.OnError(fmt.Errorf("disk cache %s: %w", cfg.Dir, err))
		}
	}}
	bound := cmp.Or(cfg.MaxBytes, 2<<30)
	c := &Cache{}
	if c.blobs, err = openBucket(root, "blobs", bound-bound/8, isBlob, refusals, step); err != nil {
		return nil, err
	}
	if c.state, err = openBucket(root, "state", bound/8, isEntry, refusals, step); err != nil {
		return nil, errors.Join(err, c.blobs.root.Close())
	}
	c.state.neighbour = c.blobs // which has nearly all of the room
	key, err := loadKey(c.state)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.names, c.seals = key.derive("name"), key.derive("seal")
	c.blobs.tidy(0)
	c.state.tidy(0)
	return c, nil
}

// Close gives the directory up. Calls that come later find nothing and keep nothing.
func (c *Cache) Close() error {
	if c == nil {
		return nil
	}
	return errors.Join(c.blobs.root.Close(), c.state.root.Close())
}

// private refuses a directory that belongs to somebody else, or whose mode lets
// others do what they must not.
func private(root *os.Root, mode fs.FileMode, do string) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if m := info.Mode().Perm(); m&mode != 0 {
		return fmt.Errorf("others can %s %s (mode %#o); chmod it to 0700, or name another directory", do, info.Name(), m)
	}
	if !mine(info) {
		return fmt.Errorf("%s belongs to another user; name a directory of your own", info.Name())
	}
	return nil
}
