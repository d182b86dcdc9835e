package layout

import (
	"errors"
	"io"
	"io/fs"
	"path"
	"time"
)

// Files are the files of a folder or an archive: those of images, and what tools put beside
// them, such as policies and signatures. Nothing in them is verified. No link is followed out
// of the folder. A folder with nothing in it is not there. It is for concurrent use, until
// the store is closed.
type Files struct {
	Path string // names the folder or the archive to a person
	fs.FS
}

// Files returns those of each folder and each archive that the store reads.
func (s *Store) Files() []Files {
	var all []Files
	for _, t := range s.around {
		all = append(all, Files{t.path(), treeFS{t}})
	}
	for _, p := range s.parts {
		all = append(all, Files{p.path(), treeFS{p.tree}})
	}
	return all
}

// treeFS is a tree as a file system.
type treeFS struct{ tree tree }

func (t treeFS) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) {
		if inner, ok := errors.AsType[*fs.PathError](err); ok {
			err = inner.Err
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	f, err := t.tree.open(name)
	if err == nil {
		return &regular{io.NewSectionReader(f, 0, f.size), info{path.Base(name), f.size, 0}, f}, nil
	}
	entries, listErr := t.tree.list(name)
	switch {
	case listErr != nil:
		return fail(listErr)
	case len(entries) == 0 && name != ".":
		return fail(err)
	}
	return &directory{info{path.Base(name), 0, fs.ModeDir}, t, name, entries}, nil
}

// regular is an open file.
type regular struct {
	*io.SectionReader
	info info
	file *file
}

func (f *regular) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *regular) Close() error               { return f.file.close() }

// directory is an open folder.
type directory struct {
	info info
	fsys treeFS
	path string
	rest []entry
}

func (d *directory) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *directory) Close() error               { return nil }

func (d *directory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.path, Err: errors.New("is a folder")}
}

func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.rest)
	} else if len(d.rest) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.rest))
	out := make([]fs.DirEntry, n)
	for i, e := range d.rest[:n] {
		out[i] = dirEntry{e, d.fsys, path.Join(d.path, e.name)}
	}
	d.rest = d.rest[n:]
	return out, nil
}

// dirEntry is a name in a folder. What is neither a file nor a folder counts as a file, and
// cannot be opened.
type dirEntry struct {
	entry
	fsys treeFS
	path string
}

func (e dirEntry) Name() string { return e.name }
func (e dirEntry) IsDir() bool  { return e.dir }
func (e dirEntry) Type() fs.FileMode {
	if e.dir {
		return fs.ModeDir
	}
	return 0
}
func (e dirEntry) Info() (fs.FileInfo, error) { return fs.Stat(e.fsys, e.path) }

// info is what is known of a file or a folder. Times are not.
type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode | 0o444 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }
