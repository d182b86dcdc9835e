// Package provider has the types that all lookups use:
//
//   - [Request] and [Credentials]: what is asked for, and as whom.
//   - [ReleaseProvider] and [ImageProvider]: what answers a request.
//   - [Release] and [Image]: the answer.
//   - [Error] and [Class]: what can go wrong.
//
// The package does no I/O. Package provider/registry reads registries, package
// [github.com/mirrorchain/mirrorchain/policy] says what mirror policies mean, and
// package chain decides which registry is asked.
package provider
