package testpayload

import (
	"fmt"
	"slices"
)

// componentNames returns n names, sorted: the well known ones first of all, then as many
// of the others as it takes.
func componentNames(n int) []string {
	names := []string{
		"machine-config-operator", "hypershift", "cluster-config-api", "cli", "etcd",
		"hyperkube", "rhel-coreos", "pod", "cluster-version-operator", "tests",
		"cluster-config-operator", "kube-proxy", "oauth-server", "haproxy-router", "ovn-kubernetes",
		"cli-artifacts", "installer", "coredns", "console", "kube-rbac-proxy",
		"multus-cni", "must-gather", "network-tools", "operator-lifecycle-manager", "prometheus",
		"docker-registry", "service-ca-operator", "telemeter", "thanos", "tools",
		"konnectivity-agent", "apiserver-network-proxy", "token-minter", "availability-prober", "driver-toolkit",
	}
	for _, part := range []string{"machine-controllers", "cloud-controller-manager", "csi-driver", "csi-driver-operator", "cluster-api-controllers", "problem-detector", "node-manager"} {
		for _, cloud := range []string{"agent", "aws", "azure", "baremetal", "gcp", "ibmcloud", "kubevirt", "libvirt", "nutanix", "openstack", "powervs", "vsphere"} {
			names = append(names, cloud+"-"+part)
		}
	}
	for _, what := range []string{"authentication", "autoscaler", "dns", "etcd", "image-registry", "ingress", "kube-apiserver", "kube-scheduler", "monitoring", "network", "node-tuning", "samples", "storage"} {
		names = append(names, "cluster-"+what+"-operator", what+"-exporter", what+"-must-gather", what+"-bundle", what+"-webhook")
	}
	for i := len(names); i < n; i++ {
		names = append(names, fmt.Sprintf("extra-component-%04d", i))
	}
	names = names[:max(n, 0)]
	slices.Sort(names)
	return names
}
