package layout

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sort"
	"strings"
)

// archive is a tar file, read in place: one pass finds where each entry begins.
type archive struct {
	name    string
	at      io.ReaderAt
	closer  io.Closer
	entries map[string]tarEntry
	names   []string // of entries, sorted
}

type tarEntry struct {
	offset, size int64
	link         string // the name that it stands for; "" for a file of its own
	err          error  // why it is not read
}

// Limits of an archive. One of 500 GB has some 100,000 entries.
const (
	maxEntries = 1_000_000
	maxText    = 256 << 20 // bytes of all names
	maxLinks   = 8         // from one to the next
)

func openArchive(name string) (*archive, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	a, err := newArchive(name, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	a.closer = f
	return a, nil
}

// compressions are what compressed files begin with.
var compressions = []struct{ magic, name string }{
	{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"\xfd7zXZ\x00", "xz"}, {"BZh", "bzip2"},
}

// newArchive finds the entries of a tar file.
func newArchive(name string, r interface {
	io.ReaderAt
	io.ReadSeeker
}) (*archive, error) {
	head := make([]byte, 8)
	n, _ := r.ReadAt(head, 0)
	for _, c := range compressions {
		if bytes.HasPrefix(head[:n], []byte(c.magic)) {
			return nil, fmt.Errorf("%s is compressed with %s; decompress it first, because an archive is read in place and not unpacked", name, c.name)
		}
	}
	a := &archive{name: name, at: r, entries: make(map[string]tarEntry)}
	text := 0
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, a.broken(err)
		}
		key, ok := inside(h.Name)
		if !ok || len(key) > maxName {
			continue // it cannot be asked for
		}
		entry := tarEntry{size: h.Size}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse:
			if sparse(h) {
				entry.err = errSparse
			}
		case tar.TypeLink:
			if entry.link, ok = inside(h.Linkname); !ok {
				entry.err = errLeadsOut
			}
		case tar.TypeSymlink:
			if entry.link, ok = inside(path.Join(path.Dir(key), h.Linkname)); !ok || path.IsAbs(h.Linkname) {
				entry.err = errLeadsOut
			}
		default:
			continue
		}
		if entry.offset, err = r.Seek(0, io.SeekCurrent); err != nil {
			return nil, err
		}
		if text += len(key) + len(entry.link); len(a.entries) >= maxEntries || text > maxText {
			return nil, fmt.Errorf("%s has more than %d entries, or their names come to more than %d bytes", name, maxEntries, maxText)
		}
		a.entries[key] = entry
	}
	for key := range a.entries {
		a.names = append(a.names, key)
	}
	slices.Sort(a.names)
	return a, nil
}

// enter makes the one folder that all entries are in the top of the archive, as if that had
// been packed from within. It reports whether there is one.
func (a *archive) enter() bool {
	if len(a.names) == 0 {
		return false
	}
	top, _, deeper := strings.Cut(a.names[0], "/")
	top += "/"
	if !deeper || !strings.HasPrefix(a.names[len(a.names)-1], top) { // they are sorted
		return false
	}
	entries := make(map[string]tarEntry, len(a.entries))
	for i, name := range a.names {
		e, ok := a.entries[name], true
		if e.link != "" {
			if e.link, ok = strings.CutPrefix(e.link, top); !ok {
				e.err = errLeadsOut
			}
		}
		a.names[i] = name[len(top):]
		entries[a.names[i]] = e
	}
	a.entries = entries
	return true
}

// broken says what an error of the tar reader means.
func (a *archive) broken(err error) error {
	switch {
	case len(a.entries) == 0:
		return fmt.Errorf("%s is no tar archive: %w", a.name, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s is cut off after %d entries; copy it again: %w", a.name, len(a.entries), err)
	}
	return fmt.Errorf("%s is broken after %d entries; copy it again: %w", a.name, len(a.entries), err)
}

// inside returns a name as it is looked for, and false for one that leads out.
func inside(name string) (string, bool) {
	name = path.Clean(name)
	return name, fs.ValidPath(name) && name != "."
}

// sparse reports whether an entry's bytes do not stand in the archive as they are.
func sparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}

func (a *archive) path() string { return a.name }

func (a *archive) close() error {
	if a.closer == nil {
		return nil
	}
	return a.closer.Close()
}

func (a *archive) open(name string) (*file, error) {
	for range maxLinks {
		e, ok := a.entries[name]
		switch {
		case !ok:
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		case e.err != nil:
			return nil, &fs.PathError{Op: "open", Path: name, Err: e.err}
		case e.link == "":
			return &file{io.NewSectionReader(a.at, e.offset, e.size), e.size, func() error { return nil }, a.name}, nil
		}
		name = e.link
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: errLinks}
}

// after returns the place of the first name that is not less than s.
func (a *archive) after(s string) int { return sort.SearchStrings(a.names, s) }

func (a *archive) has(name string) bool {
	if _, ok := a.entries[name]; ok {
		return true
	}
	i := a.after(name + "/")
	return i < len(a.names) && strings.HasPrefix(a.names[i], name+"/")
}

func (a *archive) list(dir string) ([]entry, error) {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	var entries []entry
	for i := a.after(prefix); i < len(a.names) && strings.HasPrefix(a.names[i], prefix); {
		name, _, deeper := strings.Cut(a.names[i][len(prefix):], "/")
		if n := len(entries); n > 0 && entries[n-1].name == name { // a file and a folder of one name
			entries[n-1].dir = true
		} else if entries = append(entries, entry{name, deeper}); len(entries) > maxNames {
			return nil, &fs.PathError{Op: "list", Path: dir, Err: errTooMany}
		}
		if i++; deeper {
			i = a.after(prefix + name + "0") // "0" follows "/"
		}
	}
	return entries, nil
}
