// Package policy says what mirror policies mean: ImageContentSourcePolicy (ICSP),
// ImageDigestMirrorSet (IDMS), ImageTagMirrorSet (ITMS), image configurations and
// registries.conf. It gives the same answers as an OpenShift node with the same policies.
//
// A [Policy] is what one [OverrideSource] states, object by object. [NewRules] merges
// several of them into [Rules], which are immutable and answer three questions:
//
//   - [Rules.Candidates]: where may an image be pulled from, and in which order?
//   - [Rules.Resolve]: which source applies, and what is refused?
//   - [Rules.Explain]: which entries say so, and what may surprise?
//
// The order is fixed by the policies. Package chain decides at run time which of the
// candidates is asked, and what happens if one of them is down.
//
// The package reads no file, no cluster and no registry. It imports only the standard
// library and package [github.com/mirrorchain/mirrorchain/provider/imageref].
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
//   - mirror: a place where, as a rule says, the images of a source are found too.
//   - pull by digest, pull by tag: whether the reference of the image has a digest. ICSP
//     and IDMS have mirrors for digests, ITMS has mirrors for tags.
//   - scope: a registry, namespace, repository or wildcard that is insecure or blocked.
//   - Rewrite rule: a rule that also changes the references in results, such as the images
//     of a release's components ([KindRewrite]). All others are Mirror rules.
//   - drop-in: a file in registries.conf.d. A table in it replaces all that others say
//     about its source.
//   - candidate: a reference at which an image may be read: at a mirror, or at the
//     source.
//
// docs/semantics.md states the rules in full, and where each of them comes from.
package policy
