// Package diff compares mirror policies: what changes for images, and what the change
// does to the nodes of a cluster. It reads nothing and asks nobody.
//
// [Compare] compares two sides. The sources that they name are compared by where images
// in them may be pulled from: a policy that is renamed, reordered or stated in another
// kind of object without another effect is no difference.
//
// [Disruption] says what nodes do about a change of /etc/containers/registries.conf:
// nothing, reload CRI-O, or drain first. It is the rule of the machine-config daemon,
// stated in docs/policy-tools.md.
package diff
