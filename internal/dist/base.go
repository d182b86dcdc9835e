package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// base is an image for one platform that others are built on.
type base struct {
	image  v1.Image
	name   string // for errors
	digest string
}

// openBase finds the image for a platform in "oci:FOLDER[:NAME]", and compares all of it with its
// digests. NAME is what the index calls it (org.opencontainers.image.ref.name).
func openBase(spec string, p platform) (*base, error) {
	rest, ok := strings.CutPrefix(spec, "oci:")
	folder, name, _ := strings.Cut(rest, ":")
	if !ok || folder == "" {
		return nil, fmt.Errorf("base %q: want oci:FOLDER or oci:FOLDER:NAME, an OCI image layout", spec)
	}
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return nil, fmt.Errorf("base %s: not an OCI image layout: %w", spec, err)
	}
	found := map[v1.Hash]v1.Image{}
	if err := collect(index, name, p, found); err != nil {
		return nil, fmt.Errorf("base %s: %w", spec, err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("base %s: it has no image for %s: copy all platforms, as with skopeo copy --all", spec, p)
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("base %s: it has %d images for %s: name one, as in oci:FOLDER:NAME", spec, len(found), p)
	}
	for digest, img := range found {
		if err := validate.Image(img); err != nil {
			return nil, fmt.Errorf("base %s: %s is damaged: %w", spec, digest, err)
		}
		return &base{img, spec, digest.String()}, nil
	}
	panic("unreachable")
}

// collect adds the images for a platform below an index. Where name is set, entries of the index
// count that have it.
func collect(index v1.ImageIndex, name string, p platform, found map[v1.Hash]v1.Image) error {
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, d := range manifest.Manifests {
		if name != "" && d.Annotations["org.opencontainers.image.ref.name"] != name {
			continue
		}
		switch {
		case d.MediaType.IsIndex():
			below, err := index.ImageIndex(d.Digest)
			if err != nil {
				return err
			}
			if err := collect(below, "", p, found); err != nil {
				return err
			}
		case d.MediaType.IsImage():
			img, err := index.Image(d.Digest)
			if err != nil {
				return err
			}
			// A descriptor need not state the platform. What is no image, as an SBOM, has none.
			config, err := img.ConfigFile()
			if err != nil {
				return err
			}
			if config.OS == p.os && config.Architecture == p.arch {
				found[d.Digest] = img
			}
		}
	}
	return nil
}

// start returns an image with the layers of the base and nothing else, and a configuration with what is
// to be kept: the platform, the environment and the history.
func (b *base) start() (v1.Image, *v1.ConfigFile, error) {
	config, err := b.image.ConfigFile()
	if err != nil {
		return nil, nil, err
	}
	layers, err := b.image.Layers()
	if err != nil {
		return nil, nil, err
	}
	var adds []mutate.Addendum
	for _, l := range layers {
		as, err := l.MediaType()
		if err != nil {
			return nil, nil, err
		}
		if as == types.DockerLayer { // the same bytes by another name
			as = types.OCILayer
		}
		adds = append(adds, mutate.Addendum{Layer: l, MediaType: as})
	}
	img, err := mutate.Append(empty.Image, adds...)
	return img, &v1.ConfigFile{
		OS: config.OS, Architecture: config.Architecture, Variant: config.Variant,
		History: slices.Clone(config.History), Config: v1.Config{Env: slices.Clone(config.Config.Env)},
	}, err
}

// bundles are files that distributions have the public authorities in, UBI first.
var bundles = []string{"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "etc/ssl/certs/ca-certificates.crt"}

// authorities returns the public authorities that the base has.
func (b *base) authorities() ([]byte, error) {
	content := mutate.Extract(b.image)
	defer content.Close()
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("base %s: it has no public authorities in /%s: take one that does, such as ubi9/ubi-minimal", b.name, strings.Join(bundles, " or /"))
		}
		if err != nil {
			return nil, fmt.Errorf("base %s: %w", b.name, err)
		}
		if h.Typeflag != tar.TypeReg || !slices.Contains(bundles, path.Clean(h.Name)) {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil || bytes.Contains(data, []byte("BEGIN CERTIFICATE")) {
			return data, err
		}
	}
}

// ownAuthorities returns the public authorities of the machine that builds.
func ownAuthorities() ([]byte, error) {
	for _, name := range bundles {
		if data, err := os.ReadFile("/" + name); err == nil && bytes.Contains(data, []byte("BEGIN CERTIFICATE")) {
			fmt.Fprintln(os.Stderr, "dist: the public authorities in the image are those of this machine, /"+name)
			return data, nil
		}
	}
	return nil, fmt.Errorf("this machine has no public authorities in /%s: install its ca-certificates, or give -base", strings.Join(bundles, " or /"))
}
