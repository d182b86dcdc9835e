// Package convert writes mirror policies in another form: as ImageDigestMirrorSets, as a
// registries.conf, as the configuration of containerd, and others, see [Format].
//
// What it writes is read again and compared with what it was made of. Where the form cannot
// say the same, [Convert] fails with a [*LossError] that lists what would be lost, unless
// the caller allows that. The same policies give the same bytes.
package convert
