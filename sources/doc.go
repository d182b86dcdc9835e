// Package sources reads mirror policies, merges them, and follows their changes.
//
// In this package a source is a [policy.OverrideSource]: a file, a cluster or a variable
// that states policies. (The source of an image, in packages policy and chain, is
// another thing.)
//
// [Schemes] open a source by its spec, such as "file:policies.yaml" or "env:NAME". Each
// kind of source is a [Factory], and a program lists those that it wants. So a factory can
// be given what it needs, and two for one kind are an error. A [Resolver] loads the
// sources, merges what they state into one [policy.Rules] and follows them.
//
// The package knows no format and reads no file: the packages below it do. It does not
// decide which registry is asked either. Package chain does, and calls [Resolver.Current]
// for the rules.
package sources
