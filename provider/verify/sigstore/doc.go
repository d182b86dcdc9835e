// Package sigstore says whether a node would accept the sigstore signature of an image.
//
// A ClusterImagePolicy or ImagePolicy names scopes and says who has to sign the images in
// them. CRI-O reads the signatures of an image from the repository that served it, where
// they stand behind a tag, see [Tag], and checks them with containers/image. The rules
// here are those of go.podman.io/image, version 5.42, package signature, restated with the
// standard library alone. What is not supported is an error that says so, and never a pass.
//
// Two references matter. The scope and the identity in a signature are compared with the
// logical reference, the one in a pod. The signature itself comes from the physical
// repository, a mirror's where a mirror served the image. The digest is that of the
// manifest of the chosen platform, and not that of a list.
//
// The package contacts nobody.
package sigstore
