// Package wire speaks HTTP to one host: a registry, a token realm, a blob store.
//
// It holds to time limits per phase (connecting, first byte, silence in a body),
// keeps connections alive by reading every body to its end, decides between
// https and, where policy allows it, http, and turns every failure into a
// [provider.Error] of the right class.
//
// It knows nothing of images, challenges or tokens, follows no redirect and
// retries nothing.
package wire
