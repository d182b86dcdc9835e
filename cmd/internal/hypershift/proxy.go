package hypershift

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// kubeAPIServer is the Service of a control plane's API server, which its neighbours reach
// without a proxy.
const kubeAPIServer = "kube-apiserver"

// ProxyEnv returns the variables of the environment that say which proxies to use, for a
// container in a control plane namespace. Where there is a proxy, NO_PROXY has
// kube-apiserver, as in HyperShift (support/proxy).
func ProxyEnv(lookup func(string) (string, bool)) (vars []corev1.EnvVar) {
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		if value, _ := lookup(name); value != "" {
			vars = append(vars, corev1.EnvVar{Name: name, Value: value})
		}
	}
	const noProxy = "NO_PROXY"
	value, _ := lookup(noProxy)
	if len(vars) > 0 && !slices.Contains(strings.Split(value, ","), kubeAPIServer) {
		value = strings.TrimPrefix(value+","+kubeAPIServer, ",")
	}
	if value != "" {
		vars = append(vars, corev1.EnvVar{Name: noProxy, Value: value})
	}
	return vars
}
