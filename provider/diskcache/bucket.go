package diskcache

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	// A file that is still being written after so long, where milliseconds are usual,
	// is left over from a process that is no more. If it is not, its writer finds it
	// gone, and keeps nothing.
	leftOver = time.Minute
	// How often a use is noted, in the file's time of modification. Times of access
	// are mostly not kept.
	touchEvery = time.Minute
	// Files take whole blocks.
	block = 4 << 10
)

// bucket is a bounded directory of files that are written once.
type bucket struct {
	root      *os.Root
	name      string
	max       int64
	isName    func(string) bool  // of our files; others are left alone
	step      func(string) error // see open
	refusals  *refusals
	neighbour *bucket // gives way too where the disk is full; may be nil

	mu      sync.Mutex      // never held while a file is waited for
	dropped map[string]bool // what is to be gone and could not be removed
	used    int64           // as last counted, and what was written since
	since   int64           // what was written since counting last began
	tidying bool
}

func openBucket(parent *os.Root, name string, max int64, isName func(string) bool, refusals *refusals, step func(string) error) (*bucket, error) {
	if err := parent.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if info, err := parent.Lstat(name); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory of its own (%s); remove it, and a new one is made", name, info.Mode())
	}
	root, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if err := private(root, 0o077, "look into"); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), root.Close())
	}
	return &bucket{root: root, name: name, max: max, isName: isName, refusals: refusals, step: step}, nil
}

// has reports whether there is a file with that content, and notes its use. It reads
// it: a file of the right size may be damaged.
func (b *bucket) has(name string, content []byte) bool {
	info, err := b.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(content)) {
		return false
	}
	was, err := b.root.ReadFile(name)
	if err != nil || !bytes.Equal(was, content) {
		return false
	}
	b.touch(name, info)
	return true
}

// read returns a whole file; not ok if it is not there, or larger than limit.
func (b *bucket) read(name string, limit int64) ([]byte, bool) {
	if b.wasDropped(name) {
		b.drop(name) // perhaps it can be now
		return nil, false
	}
	info, err := b.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false
	case err != nil:
		b.refusals.add(err)
		return nil, false
	case !info.Mode().IsRegular() || info.Size() > limit:
		b.damaged(name)
		return nil, false
	}
	f, err := b.root.Open(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			b.refusals.add(err)
		}
		return nil, false
	}
	defer f.Close()
	content := make([]byte, info.Size())
	if _, err := io.ReadFull(f, content); err != nil {
		b.refusals.add(err)
		b.damaged(name)
		return nil, false
	}
	b.touch(name, info)
	return content, true
}

// touch notes a use, also where the last one is noted in the future: by a clock that
// was ahead.
func (b *bucket) touch(name string, info fs.FileInfo) {
	if now := time.Now(); now.Sub(info.ModTime()).Abs() > touchEvery {
		_ = b.root.Chtimes(name, now, now) // at worst it goes sooner
	}
}

// damaged removes a file that is not what was written.
func (b *bucket) damaged(name string) {
	b.refusals.report(fmt.Errorf("%s/%s is not what was written; it is removed", b.name, name))
	if err := b.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.refusals.add(err)
	}
}

// write puts a file in its place as a whole, instead of what is there. If it cannot,
// everything is as before. On a full disk it gives way first, once.
func (b *bucket) write(name string, content []byte, flush bool) {
	n := size(int64(len(content)))
	if n > b.max {
		return
	}
	err := b.put(name, content, flush)
	if isFull(err) {
		b.refusals.add(err)
		b.tidy(n)
		if b.neighbour != nil {
			b.neighbour.tidy(n)
		}
		err = b.put(name, content, flush)
	}
	if err != nil {
		b.refusals.add(err)
		return
	}
	b.undrop(name)
	if b.count(n) {
		b.tidy(0)
	}
}

func (b *bucket) put(name string, content []byte, flush bool) error {
	tmp, err := b.temporary(content, flush)
	if err != nil {
		return err
	}
	if err = b.step("written"); err == nil {
		err = b.root.Rename(tmp, name)
	}
	switch {
	case err == nil:
		err = b.step("renamed")
	case errors.Is(err, fs.ErrNotExist): // taken for left over
		err = nil
	default:
		_ = b.root.Remove(tmp)
	}
	return err
}

// temporary writes a file beside its place, in the same directory.
func (b *bucket) temporary(content []byte, flush bool) (name string, err error) {
	name = temporaryPrefix + rand.Text()
	f, err := b.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = b.root.Remove(name)
		}
	}()
	err = b.step("created")
	half := len(content) / 2
	if err == nil {
		_, err = f.Write(content[:half])
	}
	if err == nil {
		err = b.step("half written")
	}
	if err == nil {
		_, err = f.Write(content[half:])
	}
	if err == nil && flush {
		err = f.Sync()
	}
	return name, errors.Join(err, f.Close())
}
