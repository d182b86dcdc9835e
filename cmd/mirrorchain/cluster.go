package main

import (
	"os"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/cluster"
)

// clusterScheme stands for all sources on a cluster.
const clusterScheme = "cluster"

// clusterSchemes returns the schemes that it stands for.
func clusterSchemes() []string {
	var schemes []string
	for _, f := range assembly.Cluster(assembly.Deps{}) {
		schemes = append(schemes, f.Scheme)
	}
	return schemes
}

// eachOfCluster replaces "cluster:" by the sources that it stands for, so that messages
// name each of them.
func eachOfCluster(specs []string) []string {
	var out []string
	for _, spec := range specs {
		if spec != clusterScheme+":" {
			out = append(out, spec)
			continue
		}
		for _, scheme := range clusterSchemes() {
			out = append(out, scheme+":")
		}
	}
	return out
}

// ofCluster reports whether spec names a source on a cluster.
func ofCluster(spec string) bool {
	scheme, _, ok := strings.Cut(spec, ":")
	return ok && (scheme == clusterScheme || slices.Contains(clusterSchemes(), scheme))
}

// unlikelyPath refuses the name of a source on a cluster without its colon, if there is
// no file of that name.
func unlikelyPath(spec string) error {
	if strings.Contains(spec, ":") || !ofCluster(spec+":") {
		return nil
	}
	if _, err := os.Lstat(spec); err == nil {
		return nil
	}
	return failure.Usagef("--source %s: there is no such file; for the cluster's policies write %s:", spec, spec)
}

// wholeCluster makes "cluster" a known scheme. It is opened only with an argument, the name
// of a MachineConfigPool: without one, the sources that it stands for are opened.
func wholeCluster(d assembly.Deps) sources.Factory {
	f := cluster.Factory(d.Cluster)
	f.Help = "cluster:[POOL] - all that the cluster has of " + strings.Join(clusterSchemes(), ", ") +
		"; with POOL what the nodes of that MachineConfigPool have, drop-ins included"
	return f
}
