package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Limits bound what a layer may cost. All must be positive.
type Limits struct {
	Unpacked int64 // bytes of one layer
	Entries  int   // of one layer
	// File bounds one wanted file by its name.
	File func(name string) int64
	// Total bounds all wanted files together.
	Total int64
}

// Layer is what one layer holds of what is wanted.
type Layer struct {
	root  node
	size  int64 // of the data kept
	made  int   // nodes, those of directories that have no entry with them
	names int64 // bytes of the names that nodes may hold on to
}

// Scan reads a layer: a tar file, perhaps compressed. Nothing of it counts until
// it is given to [Search.Add]. A [*LimitError] says that a limit was met; any
// other error is r's, or means that the layer is malformed. r may not have been
// read to its end.
func (s *Search) Scan(ctx context.Context, r io.Reader) (*Layer, error) {
	plain, done, err := decompress(r)
	if err != nil {
		return nil, err
	}
	defer done()
	in := &bounded{r: plain, remaining: s.limits.Unpacked, limit: s.limits.Unpacked, stopped: func() error {
		s.steps++
		return s.stopped(ctx)
	}}
	t := tar.NewReader(in)
	l := &Layer{root: node{mode: fs.ModeDir | 0o755}}
	for n := 1; ; n++ {
		h, err := t.Next()
		switch {
		case err == io.EOF:
			return l, nil
		case err != nil:
			return nil, fmt.Errorf("tar entry %d: %w", n, err)
		case n > s.limits.Entries:
			return nil, &LimitError{fmt.Sprintf("a layer of more than %d entries", s.limits.Entries)}
		case h.Size > in.remaining:
			return nil, &LimitError{fmt.Sprintf("tar entry %q of %d bytes: a layer may unpack to no more than %d", short(h.Name), h.Size, in.limit)}
		}
		made := l.made
		if err := s.entry(l, h, t); err != nil {
			return nil, err
		}
		if l.made > made {
			l.names += int64(len(h.Name) + len(h.Linkname))
		}
		switch {
		case l.made > s.limits.Entries:
			return nil, &LimitError{fmt.Sprintf("a layer of more than %d files and directories, those without an entry counted", s.limits.Entries)}
		case l.names > s.limits.Total:
			return nil, &LimitError{fmt.Sprintf("the names of what is wanted of a layer come to more than %d bytes", s.limits.Total)}
		}
	}
}

// entry adds the tar entry h to l, if it concerns what is wanted: a whiteout, which hides
// what lower layers have, or a file, a link or a directory.
func (s *Search) entry(l *Layer, h *tar.Header, content io.Reader) error {
	name, ok := clean(h.Name)
	if !ok {
		return fmt.Errorf("tar entry %q leads out of the image", short(h.Name))
	}
	if name == "" {
		return nil
	}
	parent, base := cut(name)
	about := name // the file or directory that the entry adds or hides
	hidden, isWhiteout := strings.CutPrefix(base, whiteout)
	switch {
	case base == opaque:
		about = parent
	case isWhiteout && (strings.HasPrefix(hidden, whiteout) || hidden == "" || hidden == "." || hidden == ".."):
		return nil // aufs' own bookkeeping, or nonsense
	case isWhiteout:
		name = path.Join(parent, hidden)
		about = name
	}
	relation := s.wants.relate(about)
	if relation == unrelated {
		return nil
	}
	if err := checkName(h.Name, "has a name", name); err != nil {
		return err
	}
	switch {
	case relation == beneath:
		s.noteDirs(l, about)
	case base == opaque:
		l.root.dir(parent, &l.made).sealed = true
	case isWhiteout:
		l.root.whiteOut(parent, hidden, &l.made)
	default:
		return s.addFile(l, h, name, relation == matches, content)
	}
	return nil
}

// addFile adds the file, link or directory h, whose cleaned name is name. content is kept if
// wanted is true.
func (s *Search) addFile(l *Layer, h *tar.Header, name string, wanted bool, content io.Reader) error {
	n := &node{mode: h.FileInfo().Mode().Perm(), modTime: h.ModTime}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
		n.kind = file
		if wanted {
			if err := s.keep(l, n, name, h.Size, content); err != nil {
				return err
			}
		}
	case tar.TypeDir:
		n.mode |= fs.ModeDir
	case tar.TypeSymlink:
		n.kind, n.target = symlink, h.Linkname
		if err := checkName(h.Name, "links to a name", n.target); err != nil {
			return err
		}
	case tar.TypeLink:
		n.kind = hardlink
		var ok bool
		if n.target, ok = clean(h.Linkname); !ok {
			return fmt.Errorf("tar entry %q links to %q, which is out of the image", short(h.Name), short(h.Linkname))
		}
		if err := checkName(h.Name, "links to a name", n.target); err != nil {
			return err
		}
	case tar.TypeXGlobalHeader:
		return nil
	default:
		n.kind = special
	}
	parent, base := cut(name)
	l.root.put(parent, base, n, &l.made)
	return nil
}

// noteDirs makes a directory of what is wanted and has name in it: layers need
// not have entries for directories.
func (s *Search) noteDirs(l *Layer, name string) {
	for dir := range s.wants.wantedAbove(name) {
		l.root.dir(dir, &l.made)
	}
}

// keep reads a file's content, to the limit plus one.
func (s *Search) keep(l *Layer, n *node, name string, size int64, content io.Reader) error {
	limit := min(s.limits.File(name), size)
	if limit < size {
		return &LimitError{fmt.Sprintf("file %q of %d bytes: at most %d are read", short(name), size, limit)}
	}
	if l.size += size; s.size+l.size > s.limits.Total {
		return &LimitError{fmt.Sprintf("file %q: the files wanted come to more than %d bytes", short(name), s.limits.Total)}
	}
	var got int64
	var err error
	if s.files != nil {
		n.stored, got, err = s.files.keep(name, content)
	} else {
		n.data, err = io.ReadAll(content) // grows as bytes come: a header's size is only a claim
		got = int64(len(n.data))
	}
	if err != nil {
		return fmt.Errorf("tar entry %q: %w", short(name), err)
	}
	if got != size {
		return fmt.Errorf("tar entry %q: %w", short(name), errShort)
	}
	n.kept = true
	return nil
}

var errShort = errors.New("its content is shorter than its header says")

func cut(name string) (parent, base string) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// short keeps errors readable: names of tar entries may be a megabyte.
func short(name string) string {
	if len(name) > 200 {
		return name[:200] + "..."
	}
	return name
}
