// Package policy says what mirror policies mean. [NewRules] merges the policies of
// several sources, [Rules.Candidates] answers where an image may be pulled from, in
// which order, and [Rules.Resolve] says why. The answer is the one that an OpenShift
// node gives with the same policies.
//
// A [Policy] is what one [OverrideSource] states, object by object. [Rules] are all
// policies in force, merged and immutable. The package reads no file, no cluster and no
// registry, and it imports the standard library and package
// [github.com/mirrorchain/mirrorchain/provider/imageref] alone.
package policy
