// Package node answers what an OpenShift node would do with an image: which endpoint it
// would pull from, whether that has all of it, and whether the signature policies would
// let it run.
//
// It differs from a lookup through package chain, on purpose. A node chooses an endpoint
// once, by the manifest that the pull spec names. From then on the manifest of its
// platform and the signatures must come from that endpoint. Where they are missing the
// pull fails, whatever another mirror has. And it reads signatures from the repository
// that served the image, behind a tag, see package
// [github.com/mirrorchain/mirrorchain/provider/verify/sigstore]. The order was observed
// with go.podman.io/image, version 5.42.
package node
