// Package imageconfig is the source of a cluster's insecure and blocked
// registries: the object image.config.openshift.io/cluster.
//
// It lists and watches that one object; a cluster without the kind or the object
// has no such registries. allowedRegistries is not enforced, and a warning says so
// where it is set.
package imageconfig

import (
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube"
)

// Config says which cluster to ask, and how. It is the same type for all sources
// on clusters.
type Config = kube.Config

// Factory returns the factory for "imageconfig:", on the cluster that cfg names. The source is a
// policy.Watcher. It needs get, list and watch on images.config.openshift.io,
// and a role may be limited to the name "cluster". Where registries are blocked it also needs
// get and list on clusterversions.config.openshift.io "version": nodes drop a blocked scope that their own
// release lies in. A change of the release alone is noticed within minutes, when the
// watch begins anew.
func Factory(cfg Config) sources.Factory { return kube.Factory(kube.ImageConfig(), cfg) }
