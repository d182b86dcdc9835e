package layer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
)

// Extraction is a [Search] that keeps the content of wanted files on disk and not in
// memory. The caller scans and adds layers as for any search, then calls Finish, and
// Close in any case.
//
// Errors of the directory are, or wrap, an [*fs.PathError]. It names the file of the
// image, so that the same failure has the same text each time.
type Extraction struct {
	*Search
	files *scratch
}

// NewExtraction wants the files that match patterns, in dir. [Limits.Total] bounds the
// bytes on disk; content that later turns out to be hidden counts as well.
func NewExtraction(limits Limits, dir *os.Root, patterns []string) (*Extraction, error) {
	s, err := NewSearch(limits, patterns)
	if err != nil {
		return nil, err
	}
	s.files = &scratch{dir: dir, name: ".extract-" + rand.Text(), placed: make(map[string]string)}
	return &Extraction{Search: s, files: s.files}, nil
}

// Finish puts the files under their own names: those that [Search.Files] would have. It
// replaces files that are there.
func (e *Extraction) Finish(ctx context.Context) error {
	return e.each(ctx, func(name string, n *node) error { return e.files.put(name, n) })
}

// Close removes what is not under its own name.
func (e *Extraction) Close() error { return e.files.clear() }

// scratch is a directory inside dir with the content of files that are wanted, under
// numbers until it is known which of them show.
type scratch struct {
	dir    *os.Root
	name   string
	made   bool
	last   int
	placed map[string]string // names of files by number, once they have one
}

// keep writes content of the file called name, and returns its number and its size.
func (s *scratch) keep(name string, content io.Reader) (number string, size int64, err error) {
	defer func() { err = ofFile(name, err) }()
	if !s.made {
		if err := s.dir.Mkdir(s.name, 0o700); err != nil {
			return "", 0, err
		}
		s.made = true
	}
	s.last++
	number = strconv.Itoa(s.last)
	size, err = s.write(path.Join(s.name, number), content)
	return number, size, err
}

func (s *scratch) write(to string, content io.Reader) (int64, error) {
	f, err := s.dir.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(f, content)
	return n, errors.Join(err, f.Close())
}

// put gives the content of n its name. A second name of the same content gets a copy:
// whoever changes one file must not change the other.
func (s *scratch) put(name string, n *node) (err error) {
	defer func() { err = ofFile(name, err) }()
	if err := s.dir.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	other, linked := s.placed[n.stored]
	switch {
	case other == name:
		return nil
	case linked:
		from, err := s.dir.Open(other)
		if err != nil {
			return err
		}
		defer from.Close()
		copied := path.Join(s.name, n.stored)
		if _, err := s.write(copied, from); err != nil {
			return err
		}
	default:
		s.placed[n.stored] = name
	}
	if err := s.dir.Rename(path.Join(s.name, n.stored), name); err != nil {
		return err
	}
	return s.dir.Chmod(name, n.mode.Perm()|0o400)
}

// clear removes the directory.
func (s *scratch) clear() error {
	if !s.made {
		return nil
	}
	if err := s.dir.RemoveAll(s.name); err != nil {
		return ofFile("files that are not used", err)
	}
	s.made = false
	return nil
}

// ofFile makes an error of the directory name the file of the image in place of the
// scratch file, whose name is another one each time.
func ofFile(name string, err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: p.Op, Path: short(name), Err: p.Err}
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return &fs.PathError{Op: l.Op, Path: short(name), Err: l.Err}
	}
	return err
}

// each calls emit for every file that is wanted, under the name that it is wanted by.
func (s *Search) each(ctx context.Context, emit func(name string, n *node) error) error {
	count, names := 0, int64(0)
	for _, p := range s.asked {
		err := s.expand(ctx, p, func(name string, n *node) error {
			if !fs.ValidPath(name) { // not UTF-8: no fs.FS can hold it
				return nil
			}
			if count++; count > s.limits.Entries {
				return &LimitError{"more files than a layer may have entries"}
			}
			if names += int64(len(name)); names > s.limits.Total {
				return &LimitError{fmt.Sprintf("the names of the files wanted come to more than %d bytes", s.limits.Total)}
			}
			return emit(name, n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
