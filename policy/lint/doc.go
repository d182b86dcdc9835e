// Package lint finds what is wrong or surprising about mirror policies before they are
// applied: what the API server refuses, what the machine-config operator refuses, what
// nodes read in another way than its author, and which images of a release no policy
// covers. It reads nothing and asks nobody.
//
// [Check] returns [Finding] values. Each has a stable code, and [Catalogue] says of all
// codes what happens on a node and how it is mended. docs/policy-tools.md lists them.
package lint
