package testpayload

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Names of the files of a release.
const (
	ImageReferencesFile = "release-manifests/image-references"
	MetadataFile        = "release-manifests/release-metadata"
	BootImagesFile      = "release-manifests/0000_50_installer_coreos-bootimages.yaml"
)

// BootImages chooses the boot images a release carries.
type BootImages uint8

const (
	// SingleStream is one stream, of about 33 KB, as every release up to 4.x has.
	SingleStream BootImages = iota
	// MultiStream is a default stream and a map of two, as 5.0 has.
	MultiStream
	// NoBootImages leaves the file out.
	NoBootImages
)

// Release describes a release payload. Its zero value is one of real size:
// three base layers of 50 MB that exist only when they are read, and on top a
// layer of about 485 KB that holds 190 components and 800 manifests.
type Release struct {
	Version string    // "" is "4.17.3"
	Created time.Time // of image-references; zero is 2024-10-28T09:15:42Z
	// Components is how many there are; 0 is 190. The first are well known ones
	// (machine-config-operator, hypershift, etcd, cli), the rest made up.
	Components int
	// Repository of the components; "" is quay.io/openshift-release-dev/ocp-v4.0-art-dev.
	Repository string
	// Annotations replace annotations of components, by component and key; an
	// empty value takes the annotation away.
	Annotations map[string]map[string]string
	// Manifests is how many other manifests there are; 0 is 800, less than 0 none.
	Manifests  int
	BootImages BootImages
	// Files replace files of the release layer, or add some, by name. A nil
	// value leaves the file out. Real data goes in here.
	Files map[string][]byte

	// BaseLayers are the sizes of the layers below; nil is three of 50 MB, which
	// cost nothing. Others are hashed when the image is built.
	BaseLayers []int64
	// Above are layers on top of the release layer.
	Above []Layer

	Docker      bool // Docker's media types instead of OCI's
	Compression Compression
	Platform    provider.Platform // zero is linux/amd64
	Labels      map[string]string // besides io.openshift.release
}

func (r Release) withDefaults() Release {
	if r.Version == "" {
		r.Version = "4.17.3"
	}
	if r.Created.IsZero() {
		r.Created = time.Date(2024, 10, 28, 9, 15, 42, 0, time.UTC)
	}
	if r.Components == 0 {
		r.Components = 190
	}
	if r.Repository == "" {
		r.Repository = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
	}
	if r.Manifests == 0 {
		r.Manifests = 800
	}
	return r
}

// Image builds the image.
func (r Release) Image() (Image, error) {
	r = r.withDefaults()
	base := defaultBaseLayers(r.Docker)
	if r.BaseLayers != nil {
		base = nil
		for n, size := range r.BaseLayers {
			base = append(base, VirtualLayer(r.Docker, n, size))
		}
	}
	labels := map[string]string{
		"io.openshift.release":                   r.Version,
		"io.openshift.release.base-image-digest": Digest([]byte("base image of " + r.Version)),
	}
	maps.Copy(labels, r.Labels)
	img, err := Spec{
		Base:     base,
		Layers:   append([]Layer{r.Layer()}, r.Above...),
		Docker:   r.Docker,
		Platform: r.Platform,
		Labels:   labels,
		Created:  r.Created,
	}.Image()
	if err != nil {
		return Image{}, fmt.Errorf("release %s: %w", r.Version, err)
	}
	return img, nil
}

// Layer returns the release layer alone.
func (r Release) Layer() Layer {
	r = r.withDefaults()
	files := map[string][]byte{
		ImageReferencesFile: r.ImageReferences(),
		MetadataFile:        r.metadata(),
	}
	if r.BootImages != NoBootImages {
		files[BootImagesFile] = r.BootImagesConfigMap()
	}
	for i := range r.Manifests {
		name, body := filler(i)
		files["release-manifests/"+name] = body
	}
	maps.Copy(files, r.Files)

	l := Layer{Compression: r.Compression, Entries: []Entry{Dir("release-manifests/")}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if body := files[name]; body != nil {
			l.Entries = append(l.Entries, Entry{Name: name, Body: body})
		}
	}
	return l
}

// The parts of an ImageStream that a release has.
type (
	imageStream struct {
		Kind       string         `json:"kind"`
		APIVersion string         `json:"apiVersion"`
		Metadata   streamMetadata `json:"metadata"`
		Spec       streamSpec     `json:"spec"`
		Status     struct {
			DockerImageRepository string `json:"dockerImageRepository"`
		} `json:"status"`
	}
	streamMetadata struct {
		Name              string            `json:"name"`
		CreationTimestamp string            `json:"creationTimestamp"`
		Annotations       map[string]string `json:"annotations,omitempty"`
	}
	streamSpec struct {
		LookupPolicy struct {
			Local bool `json:"local"`
		} `json:"lookupPolicy"`
		Tags []streamTag `json:"tags"`
	}
	streamTag struct {
		Name            string            `json:"name"`
		Annotations     map[string]string `json:"annotations,omitempty"`
		From            from              `json:"from"`
		Generation      *int64            `json:"generation"`
		ImportPolicy    struct{}          `json:"importPolicy"`
		ReferencePolicy struct {
			Type string `json:"type"`
		} `json:"referencePolicy"`
	}
	from struct {
		Kind string `json:"kind"`
		Name string `json:"name"`
	}
)

// ImageReferences returns the file image-references.
func (r Release) ImageReferences() []byte {
	r = r.withDefaults()
	s := imageStream{Kind: "ImageStream", APIVersion: "image.openshift.io/v1"}
	s.Metadata = streamMetadata{
		Name:              r.Version,
		CreationTimestamp: r.Created.UTC().Format(time.RFC3339),
		Annotations:       map[string]string{"release.openshift.io/from-image-stream": "ocp/4-art-latest-" + r.Created.UTC().Format("2006-01-02-150405")},
	}
	for _, name := range componentNames(r.Components) {
		t := streamTag{
			Name: name,
			From: from{Kind: "DockerImage", Name: r.Repository + "@" + r.ComponentDigest(name)},
			Annotations: map[string]string{
				"io.openshift.build.commit.id":       Digest([]byte(name + r.Version + "commit"))[7:47],
				"io.openshift.build.commit.ref":      "",
				"io.openshift.build.source-location": "https://github.com/openshift/" + name,
			},
		}
		maps.Copy(t.Annotations, r.versionAnnotations(name))
		for k, v := range r.Annotations[name] {
			if t.Annotations[k] = v; v == "" {
				delete(t.Annotations, k)
			}
		}
		s.Spec.Tags = append(s.Spec.Tags, t)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil { // nothing in it can fail
		panic(err)
	}
	return b
}

// ComponentNames returns the names of the components, sorted.
func (r Release) ComponentNames() []string { return componentNames(r.withDefaults().Components) }

// ComponentVersions returns the versions that the components state: kubernetes, kubectl
// and machine-os, as far as the release has their components.
func (r Release) ComponentVersions() map[string]string {
	versions := make(map[string]string)
	for _, name := range r.ComponentNames() {
		if v := r.versionAnnotations(name)["io.openshift.build.versions"]; v != "" {
			for _, pair := range strings.Split(v, ",") {
				k, v, _ := strings.Cut(pair, "=")
				versions[k] = v
			}
		}
	}
	return versions
}

// versionAnnotations returns those of real releases: the operating system and
// Kubernetes, the latter from several components.
func (r Release) versionAnnotations(component string) map[string]string {
	const versions, names = "io.openshift.build.versions", "io.openshift.build.version-display-names"
	switch component {
	case "rhel-coreos":
		return map[string]string{
			versions: "machine-os=417.94." + r.withDefaults().Created.Format("200601021504") + "-0",
			names:    "machine-os=Red Hat Enterprise Linux CoreOS",
		}
	case "hyperkube", "pod", "kube-proxy":
		return map[string]string{versions: "kubernetes=1.30.5"}
	case "cli", "cli-artifacts":
		return map[string]string{versions: "kubectl=1.30.4", names: ""}
	case "tests":
		return map[string]string{versions: "kubernetes=1.30.5,kubernetes-tests=1.30.5", names: "kubernetes-tests=Kubernetes Conformance"}
	}
	return nil
}

func (r Release) metadata() []byte {
	b, err := json.Marshal(map[string]any{
		"kind":     "cincinnati-metadata-v0",
		"version":  r.Version,
		"previous": []string{"4.16.18", "4.17.1", "4.17.2"},
		"metadata": map[string]string{"url": "https://access.redhat.com/errata/RHSA-2024:8434"},
	})
	if err != nil {
		panic(err)
	}
	return b
}
