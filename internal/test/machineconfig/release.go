package machineconfig

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// Repositories: those that the release names, on its source registry, and those that
// a mirror has the images in.
const (
	ReleaseRepository   = "openshift-release-dev/ocp-release"
	ComponentRepository = "openshift-release-dev/ocp-v4.0-art-dev"
	MirroredRelease     = "openshift/release-images"
	MirroredComponents  = "openshift/release"
)

// Release is a release to be made.
type Release struct {
	// Version is "4.17.3" if it is "".
	Version string
	// Source is the host that the release and its components say they are from.
	Source string
	// Program is the stand-in, of [Build].
	Program []byte
	// Components replaces the files of components, or adds some; nil entries leave a
	// component out.
	Components map[string][]testpayload.Entry
	// Nowhere are names of further components, which have no image unless they are among
	// Components.
	Nowhere []string
}

// Images are the images of a release.
type Images struct {
	// Pullspec is the release by its digest, on the source.
	Pullspec string
	Version  string
	Release  testpayload.Image
	// Components are the component images that there are.
	Components map[string]testpayload.Image
	// Digests are those of all components.
	Digests map[string]string
}

type tag struct {
	Name string `json:"name"`
	From from   `json:"from"`
}

type from struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

// Images makes the images. The same release makes the same ones.
func (r Release) Images() (Images, error) {
	entries := map[string][]testpayload.Entry{
		"machine-config-operator": OperatorImage("9.4", Executables(r.Program, Programs()...)...),
		"cluster-config-api":      Executables(r.Program, "usr/bin/render"),
		"cluster-config-operator": Executables(r.Program, "usr/bin/cluster-config-operator"),
	}
	for name, es := range r.Components {
		if entries[name] = es; es == nil {
			delete(entries, name)
		}
	}
	out := Images{Version: cmp.Or(r.Version, "4.17.3"), Components: map[string]testpayload.Image{}, Digests: map[string]string{}}
	for name, es := range entries {
		base := testpayload.Layer{Entries: []testpayload.Entry{testpayload.File("etc/motd", "a base layer of "+name)}}
		img, err := testpayload.Spec{Layers: append([]testpayload.Layer{base}, layers(es)...)}.Image()
		if err != nil {
			return Images{}, fmt.Errorf("component %s: %w", name, err)
		}
		out.Components[name], out.Digests[name] = img, img.Digest
	}
	for _, name := range r.Nowhere {
		if _, ok := out.Digests[name]; !ok {
			out.Digests[name] = testpayload.Digest([]byte(name))
		}
	}
	var tags []tag
	for name, digest := range out.Digests {
		tags = append(tags, tag{name, from{"DockerImage", r.Source + "/" + ComponentRepository + "@" + digest}})
	}
	slices.SortFunc(tags, func(a, b tag) int { return cmp.Compare(a.Name, b.Name) })
	references, err := json.Marshal(map[string]any{
		"kind": "ImageStream", "apiVersion": "image.openshift.io/v1",
		"metadata": map[string]any{"name": out.Version, "creationTimestamp": "2024-10-28T09:15:42Z"},
		"spec":     map[string]any{"tags": tags},
	})
	if err != nil {
		return Images{}, err
	}
	out.Release, err = testpayload.Release{
		Version: out.Version, Manifests: -1, BaseLayers: []int64{1 << 10},
		Files: map[string][]byte{testpayload.ImageReferencesFile: references},
	}.Image()
	out.Pullspec = r.Source + "/" + ReleaseRepository + "@" + out.Release.Digest
	return out, err
}

// layers puts es into one layer, or into several if they are large. Programs take long to
// compress, so they are not.
func layers(es []testpayload.Entry) (all []testpayload.Layer) {
	const most = 128 << 20
	size := int64(0)
	for _, e := range es {
		if len(all) == 0 || size+e.Size() > most {
			all, size = append(all, testpayload.Layer{Compression: testpayload.Uncompressed}), 0
		}
		last := &all[len(all)-1]
		last.Entries, size = append(last.Entries, e), size+e.Size()
	}
	return all
}

// PushTo gives the release, tagged with its version, and its components to push,
// with the repositories of a mirror: [testregistry.Registry.Push] is one.
func (i Images) PushTo(push func(repository, tag string, img testpayload.Image) string) {
	push(MirroredRelease, i.Version, i.Release)
	i.PushComponentsTo(push)
}

// PushComponentsTo does what PushTo does, without the release.
func (i Images) PushComponentsTo(push func(repository, tag string, img testpayload.Image) string) {
	for _, img := range i.Components {
		push(MirroredComponents, "", img)
	}
}
