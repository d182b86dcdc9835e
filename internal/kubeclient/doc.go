// Package kubeclient connects to a cluster, lists the objects of one kind, and says when
// they change.
//
// A [Client] keeps nothing between calls. List is a consistent read, and Watch only says
// when to list again. A watch therefore needs no resource version to go on from, so none
// can expire, and it asks for metadata alone. That is less than client-go's reflector
// does, which keeps a copy of everything, hides why it fails and retries by itself: here
// the caller keeps what was last good, judges errors and waits.
//
// A kind that the cluster does not have is no error. Absence has to be said by the API
// server's own discovery; a 404 alone could be any web server's.
package kubeclient
