// Package mirrorchain looks OpenShift release images up through the mirror policies in
// force: what is in a release, and where did it really come from?
//
//	client, err := mirrorchain.Open(ctx, mirrorchain.Config{Policies: []string{"idms.yaml"}})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	release, err := client.Release(ctx, "quay.io/openshift-release-dev/ocp-release@sha256:...")
//
// It is the front door: it puts together what the packages below it do, in the usual way.
// Package sources reads policies and follows them, package policy merges them as nodes do,
// package chain decides which endpoint is asked, package provider/registry reads it, and
// package provider/authfile finds credentials. Every part can be replaced in [Config]; a
// program that needs another shape puts the packages together itself.
//
// Policies of a cluster are not in this package, since a client for Kubernetes makes a
// program larger by two thirds (18 MB in place of 11, stripped). A program that wants them
// adds one line:
//
//	cfg.Schemes = append(cfg.Schemes, cluster.Factory(cluster.Config{})) // of sources/cluster: reads "cluster:"
package mirrorchain
