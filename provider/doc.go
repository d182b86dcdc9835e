// Package provider is the vocabulary of mirrorchain: what a release image is
// asked for with ([Request]), what comes back ([Release]), who answers
// ([ReleaseProvider], [ImageProvider]), what mirror policies say ([Policy],
// [Rule]) and what they come to when merged ([Rules]).
//
// It holds no I/O. Registries are read by provider/registry, policies by the
// packages under sources, and package chain decides where to look.
//
// Mirror policies are interpreted as OpenShift nodes do: grouped and ordered as
// openshift/runtime-utils writes them, matched as containers/image reads them.
package provider
