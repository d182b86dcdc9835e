// Package controller is the ignition server of a hosted control plane: it follows the
// token Secrets of its namespace, has a payload made for each, serves it to booting
// nodes, rotates tokens, and says in the Secret and on the HostedControlPlane how that
// went.
//
// The decisions are package tokens', payloads are made by package payload, and package
// endpoint serves them. This package ties them to a cluster.
//
// Replicas need no leader. Each follows the same Secrets and makes every payload for
// itself, for each must be able to serve every token. What they write they write with
// the version that they read: of two that rotate a token one wins, and the other finds
// the new token and, as the old one, the one it has a payload for. A node that asks the
// slower one gets 511 for a moment, and asks again. Secrets and their content are read
// from the API server and never cached; only metadata is watched.
package controller
