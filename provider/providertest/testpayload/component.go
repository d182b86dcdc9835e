package testpayload

import "fmt"

// ComponentDigest returns the digest of that component's image.
func (r Release) ComponentDigest(name string) string { return r.ComponentImage(name).Digest }

// ComponentImage returns that component's image, for whoever asks whether a registry has
// it: its layer is no archive.
func (r Release) ComponentImage(name string) Image {
	r = r.withDefaults()
	return unreadable(name + "@" + r.Version + platformOf(r.Platform).Architecture)
}

// KubeVirtImage returns the KubeVirt boot image of a stream, as ComponentImage does a
// component's; see [Release.KubeVirtDigestRef].
func (r Release) KubeVirtImage(streamName string) Image {
	return unreadable(r.withDefaults().kubevirtName(streamName))
}

// unreadable returns an image whose config and layer are only a text.
func unreadable(name string) Image {
	config, layer := []byte("config of "+name), []byte("layer of "+name)
	img := Raw(OCIManifest, fmt.Appendf(nil,
		`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":%q,"digest":%q,"size":%d},"layers":[{"mediaType":%q,"digest":%q,"size":%d}]}`,
		OCIManifest, OCIConfig, Digest(config), len(config), OCILayerGzip, Digest(layer), len(layer)))
	img.Blobs = []Blob{NewBlob(OCIConfig, config), NewBlob(OCILayerGzip, layer)}
	return img
}
