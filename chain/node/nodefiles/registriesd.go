package nodefiles

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Bounds of what is read of a registries.d.
const (
	maxRegistriesD     = 1000    // files
	maxRegistriesDFile = 1 << 20 // bytes of one
)

// RegistriesD says at which places a node looks for sigstore signatures, as the files of its
// registries.d do (containers-registries.d(5)). It is immutable.
type RegistriesD struct {
	name      string
	scopes    map[string]attachments // those that say anything about it
	byDefault *attachments           // default-docker
}

// attachments is an entry that has the key use-sigstore-attachments.
type attachments struct {
	use   bool
	entry string // the file and the entry, for a person
}

// ReadRegistriesD reads the files *.yaml of a folder, name for a person. It takes and refuses
// what the code of nodes does (containers/image, package docker): keys that it does not know
// mean nothing, an entry must not be in two files, and one file that is wrong fails
// all pulls. A file has at most 1 MiB, and the folder at most 1,000 of them.
func ReadRegistriesD(fsys fs.FS, name string) (*RegistriesD, error) {
	entries, err := fs.ReadDir(fsys, ".") // sorted
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.IsDir() || !strings.HasSuffix(e.Name(), ".yaml") })
	if len(entries) > maxRegistriesD {
		return nil, fmt.Errorf("%s: %d files *.yaml; at most %d are read", name, len(entries), maxRegistriesD)
	}
	m := merger{in: make(map[string]string), out: &RegistriesD{name: name, scopes: make(map[string]attachments)}}
	var errs []error
	for _, e := range entries {
		data, err := readBounded(fsys, e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // a link to nothing; nodes leave it out, too
		}
		file := path.Join(name, e.Name())
		wrong := []error{err}
		if err == nil {
			wrong = m.add(file, data)
		}
		for _, err := range wrong {
			errs = append(errs, fmt.Errorf("%s: %w; a node with this file pulls nothing", file, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return m.out, nil
}

func readBounded(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRegistriesDFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(data) > maxRegistriesDFile {
		return nil, fmt.Errorf("larger than %d bytes", maxRegistriesDFile)
	}
	return data, nil
}

// withoutPath leaves out the name of the file, which the caller says in full.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// namespace is an entry. The other keys are here because a node does not take a file in
// which one of them is no text.
type namespace struct {
	Lookaside              string `yaml:"lookaside"`
	LookasideStaging       string `yaml:"lookaside-staging"`
	SigStore               string `yaml:"sigstore"`
	SigStoreStaging        string `yaml:"sigstore-staging"`
	UseSigstoreAttachments *bool  `yaml:"use-sigstore-attachments"`
}

// merger puts the entries of files together.
type merger struct {
	in        map[string]string // the file of each entry, whatever it says
	defaultIn string            // the file with default-docker
	out       *RegistriesD
}

// add returns what is wrong with a file.
func (m *merger) add(file string, data []byte) (errs []error) {
	var doc struct {
		DefaultDocker *namespace           `yaml:"default-docker"`
		Docker        map[string]namespace `yaml:"docker"`
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return []error{errors.New(strings.TrimPrefix(err.Error(), "yaml: "))}
	}
	if doc.DefaultDocker != nil {
		if m.defaultIn != "" {
			return []error{fmt.Errorf("default-docker is in %s already; leave it in one of the two", m.defaultIn)}
		}
		m.defaultIn = file
		if use := doc.DefaultDocker.UseSigstoreAttachments; use != nil {
			m.out.byDefault = &attachments{*use, "default-docker in " + file}
		}
	}
	for scope, ns := range doc.Docker {
		if other, ok := m.in[scope]; ok {
			errs = append(errs, fmt.Errorf("docker: %q is in %s already; leave it in one of the two", scope, other))
			continue
		}
		m.in[scope] = file
		if ns.UseSigstoreAttachments != nil {
			m.out.scopes[scope] = attachments{*ns.UseSigstoreAttachments, fmt.Sprintf("%q in %s", scope, file)}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return errs
}

// Reads reports whether a node looks for signatures beside an image that it pulls from at,
// the reference at the endpoint. entry is the one that says so, for a person; "" if none
// does, and then a node does not look. The most specific entry counts that has the key
// use-sigstore-attachments, and default-docker after all others.
func (r *RegistriesD) Reads(at imageref.Ref) (reads bool, entry string) {
	for scope := range sigstore.ScopesOf(at) {
		if a, ok := r.scopes[scope]; ok {
			return a.use, a.entry
		}
	}
	if r.byDefault != nil {
		return r.byDefault.use, r.byDefault.entry
	}
	return false, ""
}

// Name returns the name of the folder, for a person.
func (r *RegistriesD) Name() string { return r.name }
