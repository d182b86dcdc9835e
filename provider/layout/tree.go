package layout

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// tree is a folder or an archive. Names are those of [fs.ValidPath].
type tree interface {
	// open returns a regular file. The error is, or wraps, fs.ErrNotExist where there is
	// none.
	open(name string) (*file, error)
	// list returns what is in a folder, sorted by name; nothing where it is none.
	list(dir string) ([]entry, error)
	// has reports whether there is a file or a folder.
	has(name string) bool
	// path names the tree to the user.
	path() string
	close() error
}

// entry is a name in a folder.
type entry struct {
	name string
	dir  bool
}

// file is a part of a disk to read at any offset.
type file struct {
	io.ReaderAt
	size  int64
	close func() error
	in    string // the tree, as a person knows it
}

// Limits of what is kept in memory of names.
const (
	maxNames  = 200_000 // in one folder
	maxName   = 4096    // bytes of one name
	smallFile = 4 << 20 // index.json, link files, manifests
)

var (
	errNotRegular = errors.New("not a regular file")
	errLeadsOut   = errors.New("a link that leads out, which is not followed; put what it leads to in its place")
	errSparse     = errors.New("stored as a sparse file, which is not read in place; make the archive again without --sparse")
	errLinks      = fmt.Errorf("more than %d links, one to the next", maxLinks)
	errTooMany    = fmt.Errorf("a folder has more than %d entries", maxNames)
)

// folder is a tree on disk. os.Root follows no link out of it.
type folder struct {
	root *os.Root
	name string
}

func openFolder(path string) (*folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &folder{root, path}, nil
}

func (d *folder) path() string { return d.name }

func (d *folder) close() error { return d.root.Close() }

func (d *folder) has(name string) bool {
	_, err := d.root.Stat(name)
	return err == nil
}

// open does not wait for whoever writes to a named pipe.
func (d *folder) open(name string) (*file, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, refused(name, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &file{f, info.Size(), f.Close, d.name}, nil
}

// refused returns the error of opening a file. What os.Root itself refuses has no number of
// the operating system: it leads out of the folder.
func refused(name string, err error) error {
	number, ok := errors.AsType[syscall.Errno](err)
	switch {
	case !ok && !errors.Is(err, fs.ErrNotExist):
		err = &fs.PathError{Op: "open", Path: name, Err: errLeadsOut}
	case number == syscall.ELOOP:
		err = &fs.PathError{Op: "open", Path: name, Err: errLinks}
	}
	return err
}

func (d *folder) list(dir string) ([]entry, error) {
	f, err := d.root.OpenFile(dir, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		return nil, err
	}
	all, err := f.ReadDir(maxNames + 1)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(all) > maxNames {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: errTooMany}
	}
	var entries []entry
	for _, e := range all {
		entries = append(entries, entry{e.Name(), e.IsDir()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return entries, nil
}

// readSmall reads a file that is no content of an image, of at most smallFile bytes.
func readSmall(t tree, name string) ([]byte, error) {
	f, err := t.open(name)
	if err != nil {
		return nil, err
	}
	defer f.close()
	if f.size > smallFile {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%d bytes; at most %d are read", f.size, smallFile)}
	}
	b := make([]byte, f.size)
	if n, err := f.ReadAt(b, 0); n < len(b) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return b, nil
}
