// Package dist asks the programs that a release is made for whether they take it: krew installs the
// archive, and the schema of CycloneDX is what SBOMs are checked against. It is a module of its own, so
// that nothing of theirs enters ours.
package dist
