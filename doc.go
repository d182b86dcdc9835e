// Package mirrorchain looks up OpenShift release images through the mirror policies in
// force. It says what is in a release, and which registry it came from.
//
//	client, err := mirrorchain.Open(ctx, mirrorchain.Config{Policies: []string{"idms.yaml"}})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	release, err := client.Release(ctx, "quay.io/openshift-release-dev/ocp-release@sha256:...")
//
// It is the front door of the library, and combines its packages in the usual way:
//
//   - sources reads policies from files, variables and clusters, and follows their changes.
//   - policy merges them as nodes do, and says where an image may be pulled from.
//   - chain decides which of these registries is asked, and when. Its documentation shows
//     step by step how a lookup proceeds when a mirror is down.
//   - provider/registry reads images from one registry.
//   - provider/authfile finds credentials.
//
// Every part can be replaced in [Config]. A program that needs another combination uses the
// packages themselves.
//
// This package does not read the policies of a cluster, because a Kubernetes client makes a
// program larger by two thirds (18 MB instead of 11, stripped). A program that needs them
// adds one line:
//
//	cfg.Schemes = append(cfg.Schemes, cluster.Factory(cluster.Config{})) // of sources/cluster: reads "cluster:"
package mirrorchain
