// Package kube reads mirror policies from a cluster: one source for each kind of
// object, all on the same list-and-watch code. The packages icsp, idms, itms and
// imageconfig make plugins of it.
//
// Load lists the objects, a consistent read, and Watch only says when to list
// again. A watch therefore needs no resource version to go on from, so none can
// expire, and it asks for metadata alone. That is less than client-go's reflector
// does, which keeps a copy of everything, hides why it fails and retries by
// itself: here the resolver keeps what was last good, judges errors and waits.
//
// A kind that the cluster does not have is no error: no rules come from it, and a
// warning says so. Absence has to be said by the API server's own discovery; a 404
// alone could be any web server's.
package kube
