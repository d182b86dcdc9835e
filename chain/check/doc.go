// Package check finds out whether images are to be had through the mirrors in
// force: every image of a release before a cluster without a line to the registries
// is installed or updated with it.
//
// It asks for manifests, one small request for each image, and reads no content. It
// knows nothing of releases: the images are the caller's list. Registries are asked
// for many images at once, each within a limit of its own, and those that answer 429
// are given the time that they ask for, and fewer requests at once.
package check
