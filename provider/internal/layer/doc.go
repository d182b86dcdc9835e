// Package layer reads tar layers of an image, top down, and finds files in what
// a container would see: upper layers win, whiteouts and opaque directories
// hide, links are followed inside the image and nowhere else.
//
// Only what was asked for is kept; a layer of any size needs the memory of the
// files wanted from it. It reads from an io.Reader, knows nothing of registries
// and digests, and leaves it to its caller to believe a layer (see [Search.Add])
// only when its bytes have been verified.
//
// Sources: OCI image-spec layer.md; how containers/storage applies layers where
// that is silent.
package layer
