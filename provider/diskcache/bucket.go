package diskcache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// Names of files that are being written begin so.
	temporaryPrefix = "tmp-"
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
	root   *os.Root
	name   string
	max    int64
	isName func(string) bool // of our files; others are left alone
	report func(error)
	step   func(string) // see open

	mu      sync.Mutex // never held while a file is waited for
	used    int64      // as last counted, and what was written since
	since   int64      // what was written since counting last began
	tidying bool
}

func openBucket(parent *os.Root, name string, max int64, isName func(string) bool, report func(error), step func(string)) (*bucket, error) {
	if err := parent.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	root, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if err := private(root, 0o077, "look into"); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), root.Close())
	}
	return &bucket{root: root, name: name, max: max, isName: isName, report: report, step: step}, nil
}

// has reports whether there is a file of that size, and notes its use.
func (b *bucket) has(name string, size int64) bool {
	info, err := b.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != size {
		return false
	}
	b.touch(name, info)
	return true
}

// read is a whole file. One that is not there, or over limit, is none.
func (b *bucket) read(name string, limit int64) ([]byte, bool) {
	info, err := b.root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, false
	case err != nil:
		b.report(err)
		return nil, false
	case !info.Mode().IsRegular() || info.Size() > limit:
		b.damaged(name)
		return nil, false
	}
	f, err := b.root.Open(name)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // removed meanwhile
			b.report(err)
		}
		return nil, false
	}
	defer f.Close()
	content := make([]byte, info.Size())
	if _, err := io.ReadFull(f, content); err != nil {
		b.report(err)
		b.damaged(name)
		return nil, false
	}
	b.touch(name, info)
	return content, true
}

// touch notes a use.
func (b *bucket) touch(name string, info fs.FileInfo) {
	if now := time.Now(); now.Sub(info.ModTime()) > touchEvery {
		_ = b.root.Chtimes(name, now, now) // at worst it goes sooner
	}
}

// damaged removes a file that is not what was written.
func (b *bucket) damaged(name string) {
	b.report(fmt.Errorf("%s/%s is not what was written; it is removed", b.name, name))
	if err := b.root.RemoveAll(name); err != nil {
		b.report(err)
	}
}

// write puts a file in its place as a whole, instead of what is there. If it cannot,
// everything is as before.
func (b *bucket) write(name string, content []byte, flush bool) {
	if size(int64(len(content))) > b.max {
		return
	}
	tmp, err := b.temporary(content, flush)
	if err != nil {
		b.report(err)
		return
	}
	b.step("written")
	if err := b.root.Rename(tmp, name); err != nil {
		if !errors.Is(err, fs.ErrNotExist) { // taken for left over
			b.report(err)
		}
		_ = b.root.Remove(tmp)
		return
	}
	b.step("renamed")
	if b.count(size(int64(len(content)))) {
		b.tidy()
	}
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
	b.step("created")
	half := len(content) / 2
	_, err = f.Write(content[:half])
	b.step("half written")
	if err == nil {
		_, err = f.Write(content[half:])
	}
	if err == nil && flush {
		err = f.Sync()
	}
	return name, errors.Join(err, f.Close())
}

// count adds what was written, and reports whether it is time to tidy: too much is
// there, or so much was written since the last time that others may have as well.
func (b *bucket) count(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used += n
	b.since += n
	return b.used > b.max || b.since > b.max/16
}

// tidy counts what there is, and removes what was left half-written, and if there is
// too much, what was not used for longest until a tenth is free.
func (b *bucket) tidy() {
	b.mu.Lock()
	if b.tidying {
		b.mu.Unlock()
		return
	}
	b.tidying, b.since = true, 0
	b.mu.Unlock()

	used := b.sweep()

	b.mu.Lock()
	defer b.mu.Unlock()
	b.tidying = false
	b.used = used + b.since
}

func (b *bucket) sweep() (used int64) {
	entries, err := fs.ReadDir(b.root.FS(), ".")
	if err != nil {
		b.report(err)
	}
	var files []fs.FileInfo
	for _, e := range entries {
		ours, left := b.isName(e.Name()), strings.HasPrefix(e.Name(), temporaryPrefix)
		if !ours && !left {
			continue
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if left && time.Since(info.ModTime()).Abs() > leftOver {
			_ = b.root.Remove(info.Name())
			continue
		}
		used += size(info.Size())
		if ours {
			files = append(files, info)
		}
	}
	if used <= b.max {
		return used
	}
	slices.SortFunc(files, func(x, y fs.FileInfo) int { return x.ModTime().Compare(y.ModTime()) })
	for _, f := range files {
		if used <= b.max-b.max/10 {
			break
		}
		// Who reads it now reads it to its end; it may be gone already.
		if err := b.root.Remove(f.Name()); err == nil || errors.Is(err, fs.ErrNotExist) {
			used -= size(f.Size())
		}
	}
	return used
}

// size is what a file of n bytes takes.
func size(n int64) int64 { return (n + block - 1) / block * block }
