// Package testpayload builds container images in memory: release payloads of
// real size, images of arbitrary layers, and indexes over several platforms.
//
// It is for tests and for the demo of the command line. It writes the OCI and
// Docker JSON itself, so that what it makes is judged by the code that reads it
// and not by a library both share. It knows nothing of registries; package
// testregistry serves what it builds.
//
// What it builds is deterministic: the same value gives the same bytes and
// digests with the same Go version (a compressor may change between versions).
// All types are plain values; an [Image] is not modified once it is built and
// may be shared.
package testpayload
