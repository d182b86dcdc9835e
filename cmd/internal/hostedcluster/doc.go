// Package hostedcluster reconciles HostedClusters as far as release images and
// mirror policies go: it looks the release up with the cluster's own pull secret,
// says in conditions what came of it, and keeps the control plane namespace with
// the HostedControlPlane and the control-plane-operator, which is handed the mirror
// rules of the management cluster.
//
// What is written depends on the HostedCluster, the policies, the operator's flags
// and the release's content alone. Which mirror is up changes none of it: where a
// release cannot be looked up nothing is written but conditions.
//
// A HostedCluster that goes takes its control plane namespace with it: the
// HostedControlPlane first, so that whoever tears cloud resources down can do so.
//
// It is not the whole of HyperShift's operator: no node pools, no cloud resources, no
// components of a control plane but the control-plane-operator.
package hostedcluster
