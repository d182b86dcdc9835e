// Package testlayout writes images to disk in the formats in which images are carried to
// disconnected sites, as the tools do that write them.
package testlayout

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// Named is an image and the name that it gets: REPOSITORY:TAG or a bare TAG, "" for none.
type Named struct {
	Name string
	testpayload.Image
}

func (n Named) split() (repository, tag string) {
	i := strings.LastIndexByte(n.Name, ':')
	if i < 0 {
		return "", n.Name
	}
	return n.Name[:i], n.Name[i+1:]
}

// Write is a function that writes images to a folder that does not exist yet or is empty.
type Write func(dir string, images ...Named) error

// OCI writes an OCI image layout, as skopeo does.
func OCI(dir string, images ...Named) error {
	w := &writer{dir: dir}
	type entry struct {
		testpayload.Descriptor
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	index := struct {
		SchemaVersion int     `json:"schemaVersion"`
		Manifests     []entry `json:"manifests"`
	}{SchemaVersion: 2}
	for _, n := range images {
		e := entry{Descriptor: testpayload.Descriptor{MediaType: n.MediaType, Digest: n.Digest, Size: int64(len(n.Manifest))}}
		if n.Name != "" {
			e.Annotations = map[string]string{"org.opencontainers.image.ref.name": n.Name}
		}
		index.Manifests = append(index.Manifests, e)
		w.content(n.Image, func(digest string, _ bool) string { return "blobs/" + strings.Replace(digest, ":", "/", 1) })
	}
	b, err := json.Marshal(index)
	if err != nil {
		return err
	}
	w.file("index.json", b)
	w.file("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`))
	return w.err
}

// OC writes what oc image mirror writes to file://: tags are symbolic links.
func OC(dir string, images ...Named) error {
	w := &writer{dir: dir}
	for _, n := range images {
		repository, tag := n.split()
		w.content(n.Image, func(digest string, manifest bool) string {
			kind := "/blobs/"
			if manifest {
				kind = "/manifests/"
			}
			return "v2/" + repository + kind + digest
		})
		if tag != "" {
			w.link("v2/"+repository+"/manifests/"+tag, n.Digest)
		}
	}
	return w.err
}

// Storage writes what a distribution registry keeps below docker/registry/v2, and
// oc-mirror v2 in its archives and in its cache.
func Storage(dir string, images ...Named) error {
	w := &writer{dir: dir}
	for _, n := range images {
		repository, tag := n.split()
		repo := "docker/registry/v2/repositories/" + repository
		w.content(n.Image, func(digest string, manifest bool) string {
			hex := digest[len("sha256:"):]
			kind := "/_layers/sha256/"
			if manifest {
				kind = "/_manifests/revisions/sha256/"
			}
			w.file(repo+kind+hex+"/link", []byte(digest))
			return "docker/registry/v2/blobs/sha256/" + hex[:2] + "/" + hex + "/data"
		})
		if tag != "" {
			w.file(repo+"/_manifests/tags/"+tag+"/current/link", []byte(n.Digest))
		}
	}
	return w.err
}

// Dir writes the first of images as the dir: transport does. Its name does not matter.
func Dir(dir string, images ...Named) error {
	w := &writer{dir: dir}
	img := images[0].Image
	w.content(img, func(digest string, manifest bool) string {
		switch {
		case digest == img.Digest:
			return "manifest.json"
		case manifest:
			return digest[len("sha256:"):] + ".manifest.json"
		}
		return digest[len("sha256:"):]
	})
	w.file("version", []byte("Directory Transport Version: 1.1\n"))
	return w.err
}

// writer writes files below a folder. It keeps the first error.
type writer struct {
	dir string
	err error
}

// content writes all that belongs to an image, at the places that name says.
func (w *writer) content(img testpayload.Image, name func(digest string, manifest bool) string) {
	w.file(name(img.Digest, true), img.Manifest)
	for _, b := range img.Blobs {
		w.write(name(b.Digest, false), func(f io.Writer) error {
			_, err := b.WriteTo(f)
			return err
		})
	}
	for _, c := range img.Children {
		w.content(c, name)
	}
}

func (w *writer) file(name string, content []byte) {
	w.write(name, func(f io.Writer) error {
		_, err := f.Write(content)
		return err
	})
}

func (w *writer) write(name string, content func(io.Writer) error) {
	if w.err != nil {
		return
	}
	at := filepath.Join(w.dir, filepath.FromSlash(name))
	if w.err = os.MkdirAll(filepath.Dir(at), 0o755); w.err != nil {
		return
	}
	f, err := os.Create(at)
	if err == nil {
		err = content(f)
		if closed := f.Close(); err == nil {
			err = closed
		}
	}
	w.err = err
}

func (w *writer) link(name, target string) {
	if w.err == nil {
		at := filepath.Join(w.dir, filepath.FromSlash(name))
		_ = os.Remove(at) // the tag may move
		w.err = os.Symlink(target, at)
	}
}

// Tar writes the files below dir for which keep is true to a tar file, in the order of
// their names. A nil keep keeps all.
func Tar(file, dir string, keep func(name string) bool) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	t := tar.NewWriter(f)
	err = filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		name := filepath.ToSlash(strings.TrimPrefix(strings.TrimPrefix(at, dir), string(filepath.Separator)))
		if err != nil || d.IsDir() || keep != nil && !keep(name) {
			return err
		}
		return add(t, name, at)
	})
	for _, close := range []func() error{t.Close, f.Close} {
		if closed := close(); err == nil {
			err = closed
		}
	}
	return err
}

func add(t *tar.Writer, name, at string) error {
	info, err := os.Lstat(at)
	if err != nil {
		return err
	}
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(at); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name = name
	if err := t.WriteHeader(h); err != nil || link != "" {
		return err
	}
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(t, f)
	return err
}

// Archive writes an archive of oc-mirror v2 to dir: the names and the tags are in the
// first file, the blobs are spread over parts of them. Blobs of earlier images are left
// out, as a differential archive leaves them out, and the history has them.
func Archive(dir string, parts int, earlier []Named, images ...Named) error {
	from, err := os.MkdirTemp(dir, ".unpacked-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(from)
	if err := Storage(from, images...); err != nil {
		return err
	}
	var old []string
	for _, n := range earlier {
		old = append(old, digests(n.Image)...)
	}
	if len(old) > 0 {
		w := &writer{dir: from}
		w.file("working-dir/.history/.history-2026-01-02T03:04:05Z", []byte(strings.Join(old, "\n")+"\n"))
		if w.err != nil {
			return w.err
		}
	}
	for part := range parts {
		err := Tar(filepath.Join(dir, fmt.Sprintf("mirror_%06d.tar", part+1)), from, func(name string) bool {
			hex, isBlob := strings.CutPrefix(name, "docker/registry/v2/blobs/sha256/")
			if !isBlob {
				return part == 0
			}
			hex = strings.Split(hex, "/")[1]
			return int(hex[0])%parts == part && !slices.Contains(old, "sha256:"+hex)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// digests returns those of all that belongs to an image.
func digests(img testpayload.Image) []string {
	all := []string{img.Digest}
	for _, b := range img.Blobs {
		all = append(all, b.Digest)
	}
	for _, c := range img.Children {
		all = append(all, digests(c)...)
	}
	return all
}
