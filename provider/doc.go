// Package provider is the vocabulary of lookups: what a release image is asked for with
// ([Request], [Credentials]), what comes back ([Release], [Image]), who answers
// ([ReleaseProvider], [ImageProvider]), and what can go wrong ([Error], [Class]).
//
// It holds no I/O. Package provider/registry reads registries, package
// [github.com/mirrorchain/mirrorchain/policy] says what mirror policies mean, and
// package chain decides where to look.
package provider
