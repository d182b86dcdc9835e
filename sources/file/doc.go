// Package file reads mirror policies from files and directories as admins have
// them: ICSP, IDMS and ITMS in YAML or JSON, alone or in lists, oc-mirror's
// output directories, an install-config, a list of imageContentSources, and
// containers' registries.conf with its drop-in directory; and the document in which
// another process hands its merged rules on (package sources/handover).
//
// Files are recognised by what is in them. A source follows its files: through
// editors that rename, through the symbolic links of a mounted ConfigMap, and by
// a slow poll where the file system tells nothing. What the documents mean is
// the work of the packages under sources/internal.
package file
