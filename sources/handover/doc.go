// Package handover hands merged rules on from process to process: from operator to
// operator to ignition server, or to any program.
//
// HyperShift has two forms, which are read and written here to its letter. The variable
// OPENSHIFT_IMG_OVERRIDES holds "source=mirror" pairs joined with commas, the source
// repeated for each of its mirrors, which stand in the order they are tried; "=" means
// none. The flag --registry-overrides has the same form.
//
// The pairs have no words for a source that must not be contacted, for digests and tags,
// for insecure registries, or for where a rule comes from. So a document travels beside
// them that has all of that: in the variable MIRRORCHAIN_OVERRIDES, or in a ConfigMap
// that is mounted and followed live. A [Bundle] is everything that is handed on of one
// set of rules, a pure function of them. [Encode] writes the document alone, [Decode]
// reads it; sources of the schemes env and file recognise it by its content.
//
// # The document
//
// It is one JSON object, in the words of containers-registries.conf(5), because that
// is what merged rules are: the configuration that a node would have.
//
//	kind                   "MirrorchainOverrides"
//	version                1
//	registries             the tables, sorted by prefix:
//	  prefix               a registry, namespace, repository or *.HOST; required, and only once
//	  location             where it is pulled from, if that is not the prefix
//	  insecure             whether that place may be plain HTTP or unverified
//	  blocked              whether it must not be contacted
//	  mirror-by-digest-only  whether the table says so; mirrors of others cannot be added to it then
//	  mirrors              in the order they are tried:
//	    location           required
//	    insecure           of this mirror
//	    pull-from-mirror   "all", "digest-only" or "tag-only"; absent is all, always
//	    origins            the entries that named it; absent: those of the table
//	    x-by-tenant        whether only a tenant names it: it gets no more trust than a reference
//	  origins              the policy entries behind the table
//	  blocked-by           {scope, origin}: what blocks it, if that is not the table itself
//	  drop-in              the table is of registries.conf.d: what a receiver adds does not reach it
//	  scope-only           no rule names the prefix: it is an insecure or blocked scope
//	  inherited-from       the prefix whose mirrors the table was given, having none
//	rewrites               --registry-overrides: source, target, origin; sorted by source
//	insecure-registries    {scope, origin}: scopes that are in the tables already, for
//	blocked-registries     what a receiver adds
//
// Absent fields are false or empty. Origins, blocked-by and inherited-from are for
// explanations alone.
//
// Readers are strict, because half a policy may allow what the whole forbids: a
// field they do not know, a field or prefix that is there twice, null, or a value of
// another type is an error that names the entry. Whatever changes an answer about any image
// needs a new version, and a reader refuses versions it does not know. What changes
// none may be added within a version as fields whose names begin with "x-", which
// readers pass over.
package handover
