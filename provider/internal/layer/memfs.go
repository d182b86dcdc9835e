package layer

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

func (n *node) names() []string { return slices.Sorted(maps.Keys(n.children)) }

// memory is a read-only [fs.FS] of what a search found: files and directories,
// no links. Its names are those asked for, so none leads anywhere.
type memory struct{ entries map[string]*entry }

type entry struct {
	name     string // the last component
	mode     fs.FileMode
	modTime  time.Time
	data     []byte
	children []fs.DirEntry // sorted
}

func newMemory() *memory {
	return &memory{map[string]*entry{".": {name: ".", mode: fs.ModeDir | 0o555}}}
}

func (m *memory) add(name string, n *node) {
	m.entries[name] = &entry{name: path.Base(name), mode: n.mode.Perm(), modTime: n.modTime, data: n.data}
	for dir := path.Dir(name); m.entries[dir] == nil; dir = path.Dir(dir) {
		m.entries[dir] = &entry{name: path.Base(dir), mode: fs.ModeDir | 0o555}
	}
}

// finish lists the directories.
func (m *memory) finish() {
	for name, e := range m.entries {
		if name != "." {
			dir := m.entries[path.Dir(name)]
			dir.children = append(dir.children, fs.FileInfoToDirEntry(e))
		}
	}
	for _, e := range m.entries {
		slices.SortFunc(e.children, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	}
}

func (m *memory) find(op, name string) (*entry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if e := m.entries[name]; e != nil {
		return e, nil
	}
	return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
}

// Open implements [fs.FS].
func (m *memory) Open(name string) (fs.File, error) {
	e, err := m.find("open", name)
	if err != nil {
		return nil, err
	}
	if e.IsDir() {
		return &openDir{entry: e}, nil
	}
	return &openFile{entry: e, Reader: bytes.NewReader(e.data)}, nil
}

// ReadFile implements [fs.ReadFileFS]; the caller owns what it gets.
func (m *memory) ReadFile(name string) ([]byte, error) {
	e, err := m.find("read", name)
	if err != nil {
		return nil, err
	}
	if e.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return bytes.Clone(e.data), nil
}

// Stat implements [fs.StatFS].
func (m *memory) Stat(name string) (fs.FileInfo, error) {
	e, err := m.find("stat", name)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// ReadDir implements [fs.ReadDirFS].
func (m *memory) ReadDir(name string) ([]fs.DirEntry, error) {
	e, err := m.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !e.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return slices.Clone(e.children), nil
}

// entry implements [fs.FileInfo].
func (e *entry) Name() string       { return e.name }
func (e *entry) Size() int64        { return int64(len(e.data)) }
func (e *entry) Mode() fs.FileMode  { return e.mode }
func (e *entry) ModTime() time.Time { return e.modTime }
func (e *entry) IsDir() bool        { return e.mode.IsDir() }
func (e *entry) Sys() any           { return nil }

type openFile struct {
	*bytes.Reader
	entry *entry
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.entry, nil }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	entry *entry
	next  int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.entry, nil }
func (d *openDir) Close() error               { return nil }
func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.entry.name, Err: fs.ErrInvalid}
}

// ReadDir implements [fs.ReadDirFile].
func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	unread := d.entry.children[d.next:]
	if n <= 0 {
		n = len(unread)
	} else if len(unread) == 0 {
		return nil, io.EOF
	}
	unread = unread[:min(n, len(unread))]
	d.next += len(unread)
	return slices.Clone(unread), nil
}
