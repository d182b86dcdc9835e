// Package idms is the source of a cluster's ImageDigestMirrorSet objects,
// config.openshift.io/v1: mirrors for pulls by digest.
//
// It lists and watches them; a cluster without the kind yields no rules until the
// kind is installed. What they mean together with other policies is the work of
// policy.NewRules.
package idms

import (
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube"
)

// Config says which cluster to ask, and how. It is the same type for all sources
// on clusters.
type Config = kube.Config

// Factory returns the factory for "idms:", on the cluster that cfg names. The source is a
// policy.Watcher. It needs get, list and watch on the kind.
func Factory(cfg Config) sources.Factory { return kube.Factory(kube.IDMS(), cfg) }
