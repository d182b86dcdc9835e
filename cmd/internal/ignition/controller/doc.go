// Package controller is the ignition server of a hosted control plane. It follows the
// token Secrets of its namespace, makes a payload for each, serves it to booting nodes,
// rotates tokens, and reports the result in the Secret and on the HostedControlPlane.
//
// Package tokens decides, package payload makes payloads, and package httpserver serves
// them. This package connects them to a cluster.
//
// Replicas need no leader. Each follows the same Secrets and makes every payload for
// itself, since each must be able to serve every token. They write with the version that
// they read: if two rotate a token one succeeds, and the other finds the new token beside
// the old one, which it has a payload for. A node that asks the slower replica gets 511
// for a moment, and asks again. Secrets are read from the API server and never cached;
// only their metadata is watched.
package controller
