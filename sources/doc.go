// Package sources finds out which mirror policies are in force, and keeps
// finding out.
//
// A [Schemes] opens sources by spec ("file:policies.yaml", "env:NAME"); its
// plugins are [Factory] values that a program lists itself, so a plugin can be
// given what it needs and a duplicate is an error. A [Resolver] loads the
// sources, merges what they say into one [policy.Rules] and follows them.
//
// The package knows no format and reads no file: that is the work of the plugins
// below it. It does not decide where an image is looked for either; that is the
// work of package chain, which is handed [Resolver.Current].
package sources
