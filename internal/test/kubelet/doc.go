// Package kubelet does for a test what Deployment controller, scheduler and kubelet
// do on a cluster: it runs each Deployment of an API server as a process of this
// machine, with the command, the arguments, the environment and the mounts that the
// pod template has, as the ServiceAccount that it names, and starts it anew when the
// template changes. Volumes follow their Secrets and ConfigMaps as the kubelet's do.
//
// There are no containers. What that changes is one small table, [Substitutions];
// nothing else is different from what the template says. Replicas beyond one,
// liveness probes, limits and security contexts have no effect, and what the package
// does not know in a template is an error, not ignored.
package kubelet
