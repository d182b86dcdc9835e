// Package mirrorchoice says which mirror rules hold for one HostedCluster. By default they are
// those of the management cluster. Its owner may choose others in annotations, where the
// operator allows it: because the mirrors cannot be reached from the hosted cluster, or
// because its pull secret has no credentials for them.
//
// What the management policies block stays blocked. A choice takes mirrors away or adds some,
// and opens nothing, unless the operator's flag says so.
package mirrorchoice
