// Package hostedcontrolplane is what the control plane operator does: it looks up
// the releases of a HostedControlPlane, says what it found in the status, and runs
// the ignition server of the cluster, handing its own rules on to it.
//
// What is written to the cluster is a pure function of the HostedControlPlane, the
// rules and the operator's flags, and no registry is asked for it: rules are handed on
// though none answers. Whether a mirror is up decides how a release is read and never
// what a Deployment says.
//
// It is no library: names, labels, flags and conditions are HyperShift's.
package hostedcontrolplane
