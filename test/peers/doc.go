// Package peers holds what package provider makes of mirror policies against the
// code that nodes run: openshift/runtime-utils, which writes registries.conf from
// API objects, and sysregistriesv2, which reads it. It does the same with image
// policies and sigstore signatures, which package signature of go.podman.io/image
// judges, and with the files of a node that package chain/node/nodefiles makes: by
// these, that module's own code pulls images from registries that lack things and fail,
// and package chain/node has to say what it will do. It is a module of its own so that
// neither they nor what they need enters ours.
//
// The tests build with CGO_ENABLED=0 and the tags containers_image_openpgp,
// exclude_graphdriver_btrfs and exclude_graphdriver_devicemapper. How many random
// policy sets are asked about is the flag -sets, and how many worlds of signatures
// is -worlds.
package peers
