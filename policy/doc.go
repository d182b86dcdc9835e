// Package policy says what mirror policies mean. [NewRules] merges the policies that
// several places state. [Rules.Candidates] returns where an image may be pulled from, and
// in which order. [Rules.Resolve] also returns which source applies and what is refused,
// and [Rules.Explain] which entries say so. The answer is the one that an OpenShift node
// gives with the same policies.
//
// A [Policy] is what one [OverrideSource] states, object by object. [Rules] are all
// policies in force, merged and immutable. The package reads no file, no cluster and no
// registry, and it imports the standard library and package
// [github.com/mirrorchain/mirrorchain/provider/imageref] alone.
//
// # Words
//
//   - entry: one item of a policy object, or one [[registry]] table of registries.conf. A
//     [Rule] is an entry as this package reads it.
//   - source: the registry, namespace, repository or wildcard that an entry names mirrors
//     for. It matches the images that lie in it. The longest source that matches an
//     image applies to it. (An [OverrideSource] is another thing: a file, a cluster or a
//     variable that states policies.)
//   - the source itself, as a candidate: the image at its own registry.
//   - scope: a registry, namespace, repository or wildcard that is insecure or blocked.
//   - Rewrite rule: a rule that also changes the references in results
//     ([KindRewrite]). All others are Mirror rules.
//   - drop-in: a file in registries.conf.d. A table in it replaces all that others say
//     about its source.
//   - candidate: a reference at which an image may be read: at a mirror, or at the
//     source.
//
// docs/semantics.md states the rules in full, and where each of them comes from.
package policy
