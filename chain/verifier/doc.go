// Package verifier judges the signatures of releases and images during lookups. A
// [Verifier] is what the layer Verify of package chain puts into requests.
//
// Of a release it may ask two things, in this order:
//
//   - A GPG signature by every trusted keyring, as the cluster-version operator asks for it.
//     It is of the digest that the reference names, an index where there is one. Where it
//     comes from does not depend on the endpoint.
//   - The sigstore signature that image policies ask for, as a node does. It is of the
//     manifest of the platform, and comes from the repository that served the image. Images
//     that are no releases are asked for this one alone, where a policy covers them.
//
// See packages [github.com/mirrorchain/mirrorchain/provider/verify] and
// [github.com/mirrorchain/mirrorchain/provider/verify/sigstore] for the rules. It is a
// package of its own, so that who embeds the chain does not inherit OpenPGP.
package verifier
