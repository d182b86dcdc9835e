package signatures

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mirrorchain/mirrorchain/provider/verify"
	"github.com/mirrorchain/mirrorchain/provider/verify/cluster"
)

// Stores are where GPG signatures are looked for.
type Stores struct {
	All      []verify.Store
	Warnings []string // what was left out
	remote   map[string]bool
}

// IsRemote reports whether the store with that name is on the network.
func (s *Stores) IsRemote(name string) bool { return s.remote[name] }

// clusterSpec names what a cluster has.
const clusterSpec = "cluster:"

// OpenStores opens what the flags name: a URL is asked as it is; the content of a file or of
// a folder decides what it is. repository is the image's, for lookaside folders. inCluster
// opens what "cluster:" names; without it that is refused.
func OpenStores(specs []string, repository string, inCluster func() (*cluster.Cluster, error)) (*Stores, error) {
	s := &Stores{remote: make(map[string]bool)}
	for _, spec := range specs {
		var err error
		switch {
		case spec == clusterSpec && inCluster != nil:
			err = s.addCluster(inCluster)
		case strings.HasPrefix(spec, clusterSpec):
			err = usagef("--signatures %s: it takes no argument, and a cluster that may be read; else write the ConfigMaps to a file and name that: oc get configmap -n openshift-config-managed -l release.openshift.io/verification-signatures -o yaml > signatures.yaml", spec)
		case strings.HasPrefix(spec, "https://"), strings.HasPrefix(spec, "http://"):
			err = s.addURL(spec)
		case spec == "":
			err = usagef("--signatures is empty; want a folder, a file or a URL")
		default:
			if err = s.addPath(spec, repository); err != nil {
				err = fmt.Errorf("--signatures: %w", err)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Stores) addCluster(open func() (*cluster.Cluster, error)) error {
	c, err := open()
	if err != nil {
		return fmt.Errorf("--signatures %s %w", clusterSpec, err)
	}
	store := c.Signatures()
	s.remote[store.Name()] = true
	s.All = append(s.All, store)
	return nil
}

// addURL refuses what would be asked in another way than it is written. Its errors do not
// show the URL, which may hold a password.
func (s *Stores) addURL(spec string) error {
	u, err := url.Parse(spec)
	switch {
	case err != nil || u.Host == "":
		return usagef("--signatures: the URL cannot be parsed; want https://HOST/PATH")
	case u.RawQuery != "" || u.Fragment != "":
		return usagef("--signatures: the URL on %s has a query or a fragment; want https://HOST/PATH", u.Host)
	}
	store := verify.HTTPStore(u, nil)
	s.remote[store.Name()] = true
	s.All = append(s.All, store)
	return nil
}

func (s *Stores) addPath(name, repository string) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return s.addDir(name, repository)
	}
	data, err := read(name)
	if err != nil {
		return err
	}
	var maps []verify.ConfigMap
	if utf8.Valid(data) { // a signature as it is is not
		if maps, err = configMaps(name, data); err != nil {
			return err
		}
	}
	if len(maps) == 0 {
		return fmt.Errorf("%s: no ConfigMap in it; for a signature as it is, name the folder around it", name)
	}
	s.All = append(s.All, verify.ConfigMapStore(name, maps...))
	return nil
}

var (
	folderPattern    = regexp.MustCompile(`^[a-z0-9]+=[0-9a-f]{32,}$`)
	lookasidePattern = regexp.MustCompile(`^.+@[a-z0-9]+=[0-9a-f]{32,}$`)
	rawPattern       = regexp.MustCompile(`^(.+-)?[a-z0-9]+-[0-9a-f]{32,}$`)
	objectExtension  = regexp.MustCompile(`\.(json|ya?ml)$`)
)

// addDir adds a store for each shape that the folder has.
func (s *Stores) addDir(dir, repository string) error {
	before := len(s.All)
	if err := s.addFiles(dir, os.DirFS(dir), repository); err != nil {
		return err
	}
	if len(s.All) > before {
		return nil
	}
	if abs, err := filepath.Abs(dir); err == nil && folderPattern.MatchString(filepath.Base(abs)) {
		return fmt.Errorf("%s has signatures of one image; name the folder around it, %s", dir, filepath.Dir(abs))
	}
	return fmt.Errorf("%s: no signatures in a known form; want sha256=HEX/signature-1, %s@sha256=HEX/signature-1, files *-sha256-HEX, or ConfigMaps in *.json or *.yaml", dir, repository)
}

// besideImages are the folders in which tools leave signatures beside the images that they
// mirror: oc adm release mirror the first one, oc-mirror the last two.
var besideImages = []string{"config", "signatures", "working-dir/signatures", "working-dir/cluster-resources"}

// BesideImages returns the folders in which signatures are looked for beside images.
func BesideImages() []string { return slices.Clone(besideImages) }

// AddDisk adds the stores that a folder or an archive with images has beside them: in
// besideImages in every shape, and sha256=HEX/signature-1 at its top. It reports whether it
// has any.
func (s *Stores) AddDisk(name string, fsys fs.FS, repository string) (bool, error) {
	before := len(s.All)
	top, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return false, fmt.Errorf("%s: %w", name, err)
	}
	if slices.ContainsFunc(top, isOfficial) {
		s.All = append(s.All, verify.DirStore(name, fsys))
	}
	for _, dir := range besideImages {
		sub, err := fs.Sub(fsys, dir)
		if err == nil {
			err = s.addFiles(path.Join(name, dir), sub, repository)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("%s: %w", name, err)
		}
	}
	return len(s.All) > before, nil
}

func isOfficial(e fs.DirEntry) bool { return e.IsDir() && folderPattern.MatchString(e.Name()) }

// addFiles adds a store for each shape that a folder has, dir for a person.
func (s *Stores) addFiles(dir string, fsys fs.FS, repository string) error {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return err
	}
	var raw bool
	var maps []verify.ConfigMap
	for _, e := range entries {
		switch {
		case e.IsDir():
		case rawPattern.MatchString(e.Name()):
			raw = true
		case objectExtension.MatchString(e.Name()):
			name := path.Join(dir, e.Name())
			found, err := configMapsIn(fsys, e.Name(), name)
			maps = append(maps, found...)
			if err != nil {
				s.Warnings = append(s.Warnings, fmt.Sprintf("%v; it is left out", err))
			}
		}
	}
	if slices.ContainsFunc(entries, isOfficial) {
		s.All = append(s.All, verify.DirStore(dir, fsys))
	}
	if isLookaside(fsys, repository) {
		s.All = append(s.All, verify.LookasideStore(dir, fsys, repository))
	}
	if raw {
		s.All = append(s.All, verify.RawStore(dir, fsys))
	}
	if len(maps) > 0 {
		s.All = append(s.All, verify.ConfigMapStore(dir, maps...))
	}
	return nil
}

// configMapsIn returns the ConfigMaps in a file of fsys, path for a person.
func configMapsIn(fsys fs.FS, name, path string) ([]verify.ConfigMap, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer f.Close()
	data, err := readAll(f, path)
	if err != nil {
		return nil, err
	}
	return configMaps(path, data)
}

func isLookaside(fsys fs.FS, repository string) bool {
	entries, err := fs.ReadDir(fsys, path.Dir(repository))
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.IsDir() && lookasidePattern.MatchString(e.Name()) {
			return true
		}
	}
	return false
}

func configMaps(name string, data []byte) ([]verify.ConfigMap, error) {
	objects, err := objects(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var out []verify.ConfigMap
	for _, o := range objects {
		if o.kind != "ConfigMap" {
			continue
		}
		m := verify.ConfigMap{Origin: name}
		if err := json.Unmarshal(o.json, &m); err != nil {
			return nil, fmt.Errorf("%s: the ConfigMap %s cannot be read: %w", name, m.Metadata.Name, err)
		}
		out = append(out, m)
	}
	return out, nil
}
