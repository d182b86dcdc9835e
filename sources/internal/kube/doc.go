// Package kube reads mirror policies from a cluster: one source for each kind of
// object, all on the list and watch of package kubeclient. The packages icsp, idms, itms and
// imageconfig make plugins of it.
//
// A kind that the cluster does not have is no error: no rules come from it, and a
// warning says so.
package kube
