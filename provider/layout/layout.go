package layout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Store is what is on disk. Its methods are for concurrent use. Close it.
type Store struct {
	parts  []part
	around []tree // folders of archives
	names  func() ([]Name, error)
	known  func() map[string]bool // what earlier archives have
}

// part is one folder or one archive.
type part struct {
	tree
	format format
}

// segment is an archive of oc-mirror v2.
var segment = regexp.MustCompile(`^mirror_[0-9]{6}\.tar$`)

// Open opens what is at the paths as one store: a differential archive of oc-mirror and
// the earlier ones, for example. Errors name the path and say what is wrong with it.
func Open(paths ...string) (_ *Store, err error) {
	s := new(Store)
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for _, p := range paths {
		if err := s.add(p); err != nil {
			return nil, err
		}
	}
	if len(s.parts) == 0 {
		return nil, errors.New("no path")
	}
	opened := newStore(s.parts...)
	opened.around = s.around
	return opened, nil
}

func newStore(parts ...part) *Store {
	s := &Store{parts: parts}
	s.names = sync.OnceValues(s.readNames)
	s.known = sync.OnceValue(func() map[string]bool {
		all := make(map[string]bool)
		for _, p := range s.parts {
			for digest := range history(p.tree) {
				all[digest] = true
			}
		}
		return all
	})
	return s
}

func (s *Store) add(name string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	var t tree
	switch {
	case info.IsDir():
		t, err = openFolder(name)
	case info.Mode().IsRegular():
		t, err = openArchive(name)
	default:
		err = fmt.Errorf("%s is neither a folder nor a file", name)
	}
	if err != nil {
		return err
	}
	f, err := detect(t)
	if err == nil && f == nil && !info.IsDir() && segment.MatchString(filepath.Base(name)) {
		f = storage{t, storages[0]} // with nothing of it: the other archives have that
	}
	for a, ok := t.(*archive); ok && err == nil && f == nil && a.enter(); {
		f, err = detect(t)
	}
	if err == nil && f == nil {
		if err = s.addArchives(t, info.IsDir()); err != nil {
			return errors.Join(err, t.close())
		}
		s.around = append(s.around, t)
		return nil
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", name, err), t.close())
	}
	s.parts = append(s.parts, part{t, f})
	return nil
}

// addArchives adds the archives of oc-mirror that are in a folder.
func (s *Store) addArchives(t tree, isFolder bool) error {
	if isFolder {
		entries, err := t.list(".")
		if err != nil {
			return err
		}
		found := false
		for _, e := range entries {
			if !segment.MatchString(e.name) {
				continue
			}
			found = true
			if err := s.add(filepath.Join(t.path(), e.name)); err != nil {
				return err
			}
		}
		if found {
			return nil
		}
	}
	return fmt.Errorf("%s: no format that is known: want an OCI layout (oci-layout, index.json), what oc adm release mirror --to-dir wrote (v2), archives of oc-mirror (mirror_000001.tar), the data of a registry (docker/registry/v2), or a dir: folder (manifest.json)", t.path())
}

// Close closes the files.
func (s *Store) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.close())
	}
	for _, t := range s.around {
		errs = append(errs, t.close())
	}
	return errors.Join(errs...)
}

// Paths returns the folders and archives that the store reads.
func (s *Store) Paths() []string {
	var all []string
	for _, p := range s.parts {
		all = append(all, p.path())
	}
	return all
}

// open returns the file with the content of a digest, which is not verified yet.
func (s *Store) open(digest string) (*file, error) {
	if _, err := hasher(digest); err != nil {
		return nil, fail(provider.ClassInvalid, err)
	}
	algorithm, hex, _ := strings.Cut(digest, ":")
	var broken error
	for _, p := range s.parts {
		for _, name := range p.format.files(algorithm, hex) {
			f, err := p.open(name)
			if err == nil {
				if filepath.Base(name) == singleManifest && !isFile(f, digest) {
					_ = f.close()
					continue
				}
				return f, nil
			}
			if !errors.Is(err, fs.ErrNotExist) && broken == nil {
				broken = classified(fmt.Errorf("%s: %w", p.path(), err))
			}
		}
	}
	if broken != nil {
		return nil, broken
	}
	return nil, fail(provider.ClassNotFound, s.absent(digest))
}

// isFile reports whether f has the content of digest. A dir: folder says nowhere which
// digest its manifest has.
func isFile(f *file, digest string) bool {
	_, err := readVerified(context.Background(), f, digest, smallFile)
	return err == nil
}

func (s *Store) absent(digest string) error {
	where := strings.Join(s.Paths(), ", ")
	if s.known()[digest] {
		return fmt.Errorf("%s is not in %s: it is in an earlier archive, by the history of this one; give that archive too, or the cache of oc-mirror", digest, where)
	}
	return fmt.Errorf("%s is not in %s", digest, where)
}

// Has reports whether there is a file for a digest. It does not read it.
func (s *Store) Has(digest string) bool {
	f, err := s.open(digest)
	if err != nil {
		return false
	}
	return f.close() == nil
}

// Name is a name that the store has for an image.
type Name struct {
	Repository string // "openshift/release", or with a registry; "" where the format has none
	Tag        string // "" where the format has none
	Digest     string // of the manifest or the index; not verified
}

// Names returns the names in the store, sorted and without repetitions. An entry that
// cannot be read is left out, and the error says which.
func (s *Store) Names() ([]Name, error) { return s.names() }

func (s *Store) readNames() ([]Name, error) {
	var all []Name
	var errs []error
	for _, p := range s.parts {
		found, err := p.format.names()
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.path(), err))
		}
		for _, n := range found {
			digest, err := n.resolve(p.tree)
			if err != nil {
				if name := strings.Trim(n.repository+":"+n.tag, ":"); name != "" {
					err = fmt.Errorf("%s: %w", name, err)
				}
				errs = append(errs, fmt.Errorf("%s: %w", p.path(), err))
				continue
			}
			all = append(all, Name{n.repository, n.tag, digest})
		}
	}
	slices.SortFunc(all, func(a, b Name) int {
		return strings.Compare(a.Repository+"\x00"+a.Tag+"\x00"+a.Digest, b.Repository+"\x00"+b.Tag+"\x00"+b.Digest)
	})
	return slices.Compact(all), errors.Join(errs...)
}

// digestOf returns the digest that ref has, or that its tag has here.
func (s *Store) digestOf(ref imageref.Ref) (string, error) {
	if d := ref.Digest(); d != "" {
		return d, nil
	}
	all, broken := s.Names()
	tag := ref.Normalize().Tag()
	var own, others []Name
	for _, n := range all {
		switch {
		case n.Tag != tag:
		case n.Repository == ref.Name() || n.Repository == ref.Repository():
			own = append(own, n)
		default:
			others = append(others, n)
		}
	}
	if len(own) == 0 {
		own = others
	}
	distinct := slices.CompactFunc(own, func(a, b Name) bool { return a.Digest == b.Digest })
	switch {
	case len(distinct) == 1:
		return distinct[0].Digest, nil
	case len(distinct) > 1:
		var where []string
		for _, n := range distinct[:min(3, len(distinct))] {
			where = append(where, fmt.Sprintf("%s:%s is %s", n.Repository, n.Tag, n.Digest))
		}
		return "", fail(provider.ClassNotFound, fmt.Errorf("the tag %s stands for several images (%s); ask by digest", tag, strings.Join(where, ", ")))
	case broken != nil:
		return "", fail(provider.ClassMalformed, broken)
	}
	return "", fail(provider.ClassNotFound, fmt.Errorf("no image with the tag %s is in %s; ask by digest", tag, strings.Join(s.Paths(), ", ")))
}
