// Package layout reads releases and images from disk, without a registry: from what is
// carried to a disconnected site, before it leaves or after it has come.
//
// [Open] recognises these formats:
//
//   - an OCI image layout, a folder with oci-layout and index.json (skopeo, podman, crane)
//   - an OCI archive, a tar file of one (skopeo oci-archive:, docker save since 25)
//   - a tar file of any folder that is named here, also with the folder in it
//   - what oc adm release mirror --to-dir and oc image mirror file:// write, a folder
//     with v2/REPOSITORY/manifests and blobs
//   - archives of oc-mirror v2, mirror_000001.tar and so on, or a folder with them; several
//     are read as one
//   - the cache of oc-mirror v2, and any data folder of a distribution registry
//   - a dir: folder of skopeo and podman, with one image
//
// A layout is a place and no mirror: content is found by its digest, under whichever name
// or repository it lies there. A tag is looked for under the repository's own name first,
// and then wherever it stands for one digest alone.
//
// Nothing is believed. Every manifest and every blob is hashed while it is read, whatever a
// file name, a link or an index says. Nothing is unpacked to disk, archives are read in
// place, and links that lead out of the folder are not followed. Errors of content name the
// digest and the file.
//
// A [Store] is for concurrent use. It reads files when it is asked and keeps the names of
// an archive's entries in memory, nothing else.
package layout
