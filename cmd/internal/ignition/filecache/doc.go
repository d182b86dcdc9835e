// Package filecache keeps files of container images on disk, so that each layer is read
// once for all payloads that need it.
//
// Entries are named by the digest of the image and the names that were asked for, so
// they never go out of date. The cache is bounded in bytes; the entry that was not used
// for the longest time is removed first. Each file is hashed while it is copied out, so
// a damaged disk costs a download and never yields a wrong file. Entries survive a
// restart.
//
// The cache does not decide who may read an image: its callers have read the manifest
// with their own credentials, and know the digest from there.
package filecache
