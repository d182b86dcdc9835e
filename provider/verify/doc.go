// Package verify says whether release images are signed by somebody who is trusted.
//
// The cluster-version operator of OpenShift applies a release only if every trusted
// keyring has signed its digest. A signature is an OpenPGP message that holds a small
// JSON document with the digest. [Trust] is a set of keyrings, a [Store] is a place that
// has signatures, and [Trust.Verify] gives the [Verdict] that the cluster-version operator
// would give: every keyring needs one good signature, and within a keyring any key will
// do. The rules are those of openshift/library-go, pkg/verify.
//
// A verdict concerns a digest. A tag has to be resolved first, and the digest that was
// verified has to be the one that is used. For a release of several architectures the
// cluster-version operator judges the digest of the list, since the pull spec of the
// update names it.
//
// Keys must not come from the release that is judged: a release that brings its own keys
// proves nothing. [RedHat] has the keys that sign OpenShift's releases.
//
// The package contacts nobody, except for an [HTTPStore] that a caller makes. It imports
// the standard library and ProtonMail's OpenPGP packages.
package verify
