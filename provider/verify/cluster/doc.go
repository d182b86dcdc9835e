// Package cluster reads from an OpenShift cluster which signatures it asks for and has:
// image policies, the signatures of releases in ConfigMaps, and the signature stores that
// its ClusterVersion names.
//
// What a cluster does not have is no error: a cluster that is not OpenShift has no image
// policies. That it is away, or forbids to read, is one, and has a class, see package
// [github.com/mirrorchain/mirrorchain/provider].
//
// It is a package of its own, because it brings a client for Kubernetes into the program
// that imports it.
package cluster
