// Package payload makes the Ignition payload of a node pool's configuration by
// running the machine-config programs of the release itself, as HyperShift's ignition
// server does: the feature gate render, then bootstrap of machine-config-operator,
// -controller and -server.
//
// Two kinds of image references are kept apart. What ends up on nodes
// (image-references, --release-image and the image flags of old releases) is what
// the release states, changed by Rewrite rules alone: nodes apply their own mirror
// policies. What this process pulls itself goes through the chain, by the canonical
// reference, so mirrors are followed with fallback.
//
// Every payload has a directory, processes and ports of its own, so several are made
// at once. Nothing of it is left when [Pipeline.Generate] returns, however it ends.
//
// The package knows nothing of Kubernetes objects beyond [Inputs].
package payload
