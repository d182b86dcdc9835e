package layout

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
)

// format says where in a tree things are.
type format interface {
	// files returns the names that content of a digest may have, the likely one first.
	// algorithm and hex were checked.
	files(algorithm, hex string) []string
	// names returns the names that images have.
	names() ([]named, error)
}

// named is a name that an image has. Exactly one of digest, file and link is set.
type named struct {
	repository string // "" where the format has none
	tag        string
	digest     string
	file       string // whose bytes have the digest
	link       string // the file whose text is the digest
}

// oci is an OCI image layout (image-spec, "OCI Image Layout Specification").
type oci struct{ tree }

const (
	ociFile  = "oci-layout"
	ociIndex = "index.json"
)

func (f oci) files(algorithm, hex string) []string {
	return []string{path.Join("blobs", algorithm, hex)}
}

func (f oci) names() ([]named, error) {
	b, err := readSmall(f, ociIndex)
	if err != nil {
		return nil, err
	}
	if err := jsonlimit.Values(b, maxValues); err != nil {
		return nil, fmt.Errorf("%s: %w", ociIndex, err)
	}
	var index struct {
		Manifests []struct {
			Digest      string            `json:"digest"`
			Annotations map[string]string `json:"annotations"`
		} `json:"manifests"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return nil, fmt.Errorf("%s: %w", ociIndex, err)
	}
	var all []named
	for _, m := range index.Manifests {
		n := named{digest: m.Digest}
		for _, key := range []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"} { // containerd puts a bare tag into the second
			name := m.Annotations[key]
			if name == "" || n.tag != "" {
				continue
			}
			if n.tag = name; strings.Contains(name, "/") {
				if ref, err := imageref.Parse(name); err == nil {
					n.repository, n.tag = ref.Name(), ref.Normalize().Tag()
				}
			}
		}
		all = append(all, n)
	}
	return all, nil
}

// storage is what a distribution registry keeps on disk: the cache of oc-mirror v2, and
// what its archives hold of it. prefix ends with "docker/registry/v2".
type storage struct {
	tree
	prefix string
}

// storages are where it may begin, from what a user may name.
var storages = []string{"docker/registry/v2", ".oc-mirror/.cache/docker/registry/v2", ".cache/docker/registry/v2"}

func (f storage) files(algorithm, hex string) []string {
	return []string{path.Join(f.prefix, "blobs", algorithm, hex[:2], hex, "data")}
}

func (f storage) names() ([]named, error) {
	var all []named
	err := walk(f, path.Join(f.prefix, "repositories"), "_manifests", func(repository, dir string) error {
		tags, err := f.list(path.Join(dir, "tags"))
		for _, t := range tags {
			all = append(all, named{repository: repository, tag: t.name, link: path.Join(dir, "tags", t.name, "current/link")})
		}
		return err
	})
	return all, err
}

// ocDir is what oc image mirror writes to file://.
type ocDir struct {
	tree
	repositories []string
}

func newOCDir(t tree) (*ocDir, error) {
	f := &ocDir{tree: t}
	err := walk(t, "v2", "manifests", func(repository, _ string) error {
		f.repositories = append(f.repositories, repository)
		return nil
	})
	return f, err
}

// files: oc gives a manifest a file in either folder; on Windows no name may have a colon.
func (f *ocDir) files(algorithm, hex string) []string {
	var all []string
	for _, r := range f.repositories {
		for _, kind := range []string{"manifests", "blobs"} {
			for _, colon := range []string{":", "-"} {
				all = append(all, path.Join("v2", r, kind, algorithm+colon+hex))
			}
		}
	}
	return all
}

func (f *ocDir) names() ([]named, error) {
	var all []named
	for _, r := range f.repositories {
		dir := path.Join("v2", r, "manifests")
		entries, err := f.list(dir)
		if err != nil {
			return all, err
		}
		for _, e := range entries {
			if _, err := hasher(strings.Replace(e.name, "-", ":", 1)); err != nil && !e.dir {
				all = append(all, named{repository: r, tag: e.name, file: path.Join(dir, e.name)})
			}
		}
	}
	return all, nil
}

// single is a folder of the dir: transport: one image.
type single struct{ tree }

const singleManifest = "manifest.json"

func (f single) files(algorithm, hex string) []string {
	if algorithm != "sha256" {
		hex = algorithm + "-" + hex
	}
	return []string{hex, hex + ".manifest.json", singleManifest}
}

func (f single) names() ([]named, error) { return []named{{file: singleManifest}}, nil }

// maxDepth bounds how deep repositories are nested.
const maxDepth = 32

// walk calls found for each repository below dir: a folder that has one called marker.
func walk(t tree, dir, marker string, found func(repository, dir string) error) error {
	var in func(repository string, depth int) error
	in = func(repository string, depth int) error {
		here := path.Join(dir, repository)
		entries, err := t.list(here)
		if err != nil {
			return err
		}
		for _, e := range entries {
			switch {
			case !e.dir || depth > maxDepth:
			case e.name == marker:
				err = found(repository, path.Join(here, marker))
			case !strings.HasPrefix(e.name, "_"):
				err = in(path.Join(repository, e.name), depth+1)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return in("", 0)
}

// resolve returns the digest that a name stands for, as the tree says. The content of the
// digest is hashed when it is read.
func (n named) resolve(t tree) (string, error) {
	switch {
	case n.file != "":
		return digestOf(t, n.file)
	case n.link != "":
		b, err := readSmall(t, n.link)
		if err != nil {
			return "", err
		}
		n.digest = strings.TrimSpace(string(b))
		fallthrough
	default:
		if _, err := hasher(n.digest); err != nil {
			if n.link != "" {
				err = &fs.PathError{Op: "read", Path: n.link, Err: err}
			}
			return "", err
		}
		return n.digest, nil
	}
}

// history returns the digests that earlier archives of oc-mirror v2 have, as far as an
// archive says so.
func history(t tree) map[string]bool {
	all := make(map[string]bool)
	for _, dir := range []string{"working-dir/.history", "working-dir/history"} {
		entries, err := t.list(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			b, err := readSmall(t, path.Join(dir, e.name))
			if err != nil {
				continue // it only explains
			}
			for line := range strings.Lines(string(b)) {
				line = strings.TrimSpace(line)
				if !strings.Contains(line, ":") {
					line = "sha256:" + line
				}
				if _, err := hasher(line); err == nil {
					all[line] = true
				}
			}
		}
	}
	return all
}

// detect says which format a tree has. A nil format without an error is a folder of
// archives.
func detect(t tree) (format, error) {
	if t.has(ociFile) && t.has(ociIndex) {
		b, err := readSmall(t, ociFile)
		if err != nil {
			return nil, err
		}
		var version struct {
			Version string `json:"imageLayoutVersion"`
		}
		if err := json.Unmarshal(b, &version); err != nil || !strings.HasPrefix(version.Version, "1.") {
			return nil, fmt.Errorf("%s: want imageLayoutVersion 1.0.0, got %.100q", ociFile, b)
		}
		return oci{t}, nil
	}
	for _, prefix := range storages {
		if t.has(prefix) {
			return storage{t, prefix}, nil
		}
	}
	if t.has("blobs/sha256") && t.has("repositories") { // the folder docker/registry/v2 itself
		return storage{t, "."}, nil
	}
	if t.has("publish/.metadata.json") {
		return nil, errors.New("an archive of oc-mirror v1, which is not read; oc-mirror v2 replaces it")
	}
	if t.has("v2") {
		return newOCDir(t)
	}
	if t.has(singleManifest) {
		return detectSingle(t)
	}
	return nil, nil
}

// detectSingle tells a dir: folder from an archive of docker save before version 25, whose
// manifest.json is a list.
func detectSingle(t tree) (format, error) {
	b, err := readSmall(t, singleManifest)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(strings.TrimSpace(string(b)), "[") {
		return nil, errors.New("a docker-archive, which does not hold the manifest of the image, so that its digest cannot be verified; copy the image to an OCI archive (skopeo copy … oci-archive:FILE)")
	}
	return single{t}, nil
}
