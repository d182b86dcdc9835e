package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// recipe says what is in an image beside its base. deploy/Containerfile says the same, and a test
// compares the two.
type recipe struct {
	name, title string
	onBase      bool     // else it stands on nothing
	programs    []string // in /usr/bin; the first one is started
	authorities string   // the file that has the public authorities
	env, labels map[string]string
}

// user is a number, so that a node sees that it is not root (runAsNonRoot).
const user = "65532:65532"

var recipes = []recipe{
	{
		name: "operator", title: "mirrorchain operator",
		programs: []string{"hypershift-operator", "mirrorchain"}, authorities: "etc/ssl/certs/ca-certificates.crt",
	},
	// The ignition server runs programs out of the release's images. They are linked against glibc,
	// and look for OpenSSL and for os-release.
	{
		name: "control-plane", title: "mirrorchain control plane", onBase: true,
		programs: []string{"control-plane-operator", "hypershift-operator", "ignition-server", "mirrorchain"},
		// Pods mount ConfigMaps over the folders in which the base has them.
		authorities: "usr/share/mirrorchain/ca-bundle.crt",
		env:         map[string]string{"SSL_CERT_FILE": "/usr/share/mirrorchain/ca-bundle.crt"},
		// HyperShift's operator asks an image of a control-plane-operator what it can do by these. Those
		// that are left out are of what this one does not do. With "-subcommands", HyperShift would
		// run its availability-prober and its token-minter from here.
		labels: map[string]string{
			"io.openshift.hypershift.control-plane-operator-manages-ignition-server":          "true",
			"io.openshift.hypershift.control-plane-operator-manages.decompress-decode-config": "true",
			"io.openshift.hypershift.ignition-server-healthz-handler":                         "true",
			"io.openshift.hypershift.restricted-psa":                                          "true",
		},
	},
}

// images writes to m.out the images in an OCI image layout, the folder oci; images.txt with their
// digests; an SBOM for each image and platform; and SHA256SUMS. An error leaves there what was
// finished, without SHA256SUMS.
func (m *maker) images(ctx context.Context) error {
	if err := m.makeFolder(); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mirrorchain-images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	wanted := recipes
	var authorities []byte
	if m.base == "" {
		fmt.Fprintln(os.Stderr, "dist: without -base there is no image control-plane: it needs a base such as UBI 9")
		wanted = slices.DeleteFunc(slices.Clone(recipes), func(r recipe) bool { return r.onBase })
		if authorities, err = ownAuthorities(); err != nil {
			return err
		}
	}
	to, err := layout.Write(filepath.Join(m.out, "oci"), empty.Index)
	if err != nil {
		return err
	}
	indexes := make([]v1.IndexManifest, len(wanted))
	for _, p := range m.platforms {
		g, err := m.ingredients(ctx, work, p, authorities)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		for i, r := range wanted {
			if err := m.addImage(to, &indexes[i], r, g); err != nil {
				return fmt.Errorf("%s: image %s: %w", p, r.name, err)
			}
		}
	}
	var list strings.Builder
	for i, r := range wanted {
		digest, err := writeIndex(to, r.name, indexes[i])
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%s@%s\n", r.name, digest)
	}
	fmt.Print(list.String())
	if err := m.write("images.txt", []byte(list.String())); err != nil {
		return err
	}
	return m.sums()
}

// addImage makes the image for one platform and writes it, with its SBOM.
func (m *maker) addImage(to layout.Path, index *v1.IndexManifest, r recipe, g *ingredients) error {
	img, err := g.image(r)
	if err != nil {
		return err
	}
	if err := to.WriteImage(img); err != nil {
		return err
	}
	d, err := partial.Descriptor(img)
	if err != nil {
		return err
	}
	d.Platform = &v1.Platform{OS: g.platform.os, Architecture: g.platform.arch}
	d.ArtifactType = "" // skopeo 1.9 takes it away, and gives the index another digest
	index.Manifests = append(index.Manifests, *d)
	index.Annotations = map[string]string{}
	for key, value := range g.labels(r) {
		if strings.HasPrefix(key, "org.opencontainers.image.") && !strings.Contains(key, ".base.") {
			index.Annotations[key] = value
		}
	}
	return m.imageBill(r, g, d.Digest.String())
}

// writeIndex writes an index, under a name, and returns its digest.
func writeIndex(to layout.Path, name string, index v1.IndexManifest) (digest v1.Hash, err error) {
	index.SchemaVersion, index.MediaType = 2, types.OCIImageIndex
	text, err := json.Marshal(index)
	if err != nil {
		return digest, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(text))
	if err != nil {
		return digest, err
	}
	if err := to.WriteBlob(digest, io.NopCloser(bytes.NewReader(text))); err != nil {
		return digest, err
	}
	return digest, to.AppendDescriptor(v1.Descriptor{
		MediaType: index.MediaType, Size: size, Digest: digest,
		Annotations: map[string]string{"org.opencontainers.image.ref.name": name},
	})
}

// ingredients is what the images of one platform are made of.
type ingredients struct {
	platform    platform
	version     string
	at          time.Time
	base        *base // nil for none
	authorities []byte
	programs    map[string]binary
	layers      map[string]v1.Layer // of the programs; images share them
}

// ingredients builds the programs. authorities count where there is no base.
func (m *maker) ingredients(ctx context.Context, work string, p platform, authorities []byte) (*ingredients, error) {
	if p.os != "linux" {
		return nil, errors.New("images are made for linux alone")
	}
	g := &ingredients{platform: p, version: m.version, authorities: authorities, programs: map[string]binary{}, layers: map[string]v1.Layer{}}
	if m.base != "" {
		var err error
		if g.base, err = openBase(m.base, p); err != nil {
			return nil, err
		}
		if g.authorities, err = g.base.authorities(); err != nil {
			return nil, err
		}
	}
	for _, r := range recipes {
		if r.onBase && g.base == nil {
			continue
		}
		for _, name := range r.programs {
			if _, ok := g.programs[name]; ok {
				continue
			}
			b, err := m.compile(ctx, work, p, name)
			if err != nil {
				return nil, err
			}
			if g.at, err = timeOf(b.info, os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
				return nil, err
			}
			g.programs[name] = b
			if g.layers[name], err = g.layer(file{"usr/bin/" + name, 0o755, b.content}); err != nil {
				return nil, err
			}
		}
	}
	return g, nil
}

// image makes an image. Nothing in it depends on when or where that is done.
func (g *ingredients) image(r recipe) (v1.Image, error) {
	img, config := v1.Image(empty.Image), &v1.ConfigFile{OS: g.platform.os, Architecture: g.platform.arch}
	files := []file{{r.authorities, 0o444, g.authorities}}
	if r.onBase {
		var err error
		if img, config, err = g.base.start(); err != nil {
			return nil, err
		}
	} else {
		// "mirrorchain demo" writes to /tmp, as whichever user.
		files = append([]file{
			{"etc/", fs.ModeDir | 0o755, nil}, {"etc/ssl/", fs.ModeDir | 0o755, nil}, {"etc/ssl/certs/", fs.ModeDir | 0o755, nil},
			{"tmp/", fs.ModeDir | fs.ModeSticky | 0o777, nil},
			{"usr/", fs.ModeDir | 0o755, nil}, {"usr/bin/", fs.ModeDir | 0o755, nil},
		}, files...)
	}
	first, err := g.layer(files...)
	if err != nil {
		return nil, err
	}
	layers := []v1.Layer{first}
	for _, name := range r.programs {
		layers = append(layers, g.layers[name])
	}
	history := config.History
	if img, err = mutate.AppendLayers(img, layers...); err != nil {
		return nil, err
	}
	for range layers {
		history = append(history, v1.History{Created: v1.Time{Time: g.at}, CreatedBy: "internal/dist"})
	}
	made, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	config.RootFS, config.History, config.Created = made.RootFS, history, v1.Time{Time: g.at}
	config.Config.User, config.Config.Entrypoint, config.Config.Labels = user, []string{"/usr/bin/" + r.programs[0]}, g.labels(r)
	for _, name := range slices.Sorted(maps.Keys(r.env)) {
		config.Config.Env = append(config.Config.Env, name+"="+r.env[name])
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, err
	}
	return mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON), nil
}

// labels returns the image's own labels and those that the OCI image specification names. Those of the
// base are about the base.
func (g *ingredients) labels(r recipe) map[string]string {
	const oci = "org.opencontainers.image."
	all := map[string]string{
		oci + "title":       r.title,
		oci + "version":     g.version,
		oci + "created":     g.at.Format(time.RFC3339),
		oci + "licenses":    "Apache-2.0",
		oci + "source":      "https://github.com/mirrorchain/mirrorchain",
		oci + "description": "Says what is in an OpenShift release image, and where it really came from",
	}
	for _, s := range g.programs[r.programs[0]].info.Settings {
		if s.Key == "vcs.revision" {
			all[oci+"revision"] = s.Value
		}
	}
	if r.onBase {
		all[oci+"base.digest"] = g.base.digest
	}
	maps.Copy(all, r.labels)
	return all
}

// layer returns the files as a layer.
func (g *ingredients) layer(files ...file) (v1.Layer, error) {
	data, err := tarGz(files, g.at)
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }, tarball.WithMediaType(types.OCILayer))
}

// imageBill writes the SBOM of the image of a digest.
func (m *maker) imageBill(r recipe, g *ingredients, digest string) error {
	var programs []binary
	for _, name := range r.programs {
		programs = append(programs, g.programs[name])
	}
	var on string
	if r.onBase {
		on = g.base.digest
	}
	bill, err := imageSBOM(container(r.name, m.version, digest, url.Values{"arch": {g.platform.arch}}), on, programs, m.version)
	if err != nil {
		return err
	}
	return m.write(m.fileName(r.name, g.platform)+".cdx.json", bill)
}
