// Package sources reads mirror policies, merges them, and follows their changes.
//
// In this package a source is a [policy.OverrideSource]: a file, a cluster or a variable
// that states policies. (The source of an image, in packages policy and chain, is
// another thing.)
//
// A [Schemes] opens sources by spec ("file:policies.yaml", "env:NAME"). Its plugins are
// [Factory] values that a program lists itself, so a plugin can be given what it needs,
// and a duplicate is an error. A [Resolver] loads the sources, merges what they state
// into one [policy.Rules] and follows them.
//
// The package knows no format and reads no file: that is the work of the plugins below
// it. It does not decide where an image is looked for either. That is the work of package
// chain, which calls [Resolver.Current].
package sources
