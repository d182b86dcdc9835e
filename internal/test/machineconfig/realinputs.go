package machineconfig

import "maps"

// FeatureGate is a manifest as HyperShift's control-plane-operator writes it, without its spec.
const FeatureGate = "apiVersion: config.openshift.io/v1\nkind: FeatureGate\nmetadata: {name: cluster}\n"

// pool returns a MachineConfigPool as HyperShift makes it: the pool "master" is the only one that
// machine-config-server serves while it bootstraps, and it selects the configuration of workers.
func pool(name string) string {
	return `apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfigPool
metadata:
  name: ` + name + `
  labels: {machineconfiguration.openshift.io/mco-built-in: ""}
spec:
  machineConfigSelector:
    matchLabels: {machineconfiguration.openshift.io/role: worker}
  nodeSelector:
    matchLabels: {node-role.kubernetes.io/worker: ""}
`
}

// RealConfigMap returns the data of ConfigMap machine-config-server as HyperShift fills it for
// a cluster without a cloud provider and without a CA bundle of the user's. authority is the
// certificate of the cluster, PEM. changes replace files, and "" leaves one out.
func RealConfigMap(authority string, changes map[string]string) map[string]string {
	data := map[string]string{
		"configuration-hash": ConfigurationHash,
		"root-ca.crt":        authority,
		"signer-ca.crt":      authority,
		"cluster-infrastructure-02-config.yaml": `apiVersion: config.openshift.io/v1
kind: Infrastructure
metadata: {name: cluster}
spec: {cloudConfig: {name: ""}, platformSpec: {type: None}}
status:
  apiServerInternalURI: https://api.hosted.example.com:6443
  apiServerURL: https://api.hosted.example.com:6443
  controlPlaneTopology: External
  cpuPartitioning: None
  etcdDiscoveryDomain: hosted.example.com
  infrastructureName: hosted-abcde
  infrastructureTopology: HighlyAvailable
  platform: None
  platformStatus: {type: None}
`,
		"cluster-network-02-config.yaml": `apiVersion: config.openshift.io/v1
kind: Network
metadata: {name: cluster}
spec:
  clusterNetwork: [{cidr: 10.132.0.0/14, hostPrefix: 23}]
  networkType: OVNKubernetes
  serviceNetwork: [172.31.0.0/16]
status: {}
`,
		"cluster-proxy-01-config.yaml":  "apiVersion: config.openshift.io/v1\nkind: Proxy\nmetadata: {name: cluster}\nspec: {trustedCA: {name: \"\"}}\nstatus: {}\n",
		"cluster-dns-02-config.yaml":    "apiVersion: config.openshift.io/v1\nkind: DNS\nmetadata: {name: cluster}\nspec: {baseDomain: hosted.example.com}\nstatus: {}\n",
		"install-config.yaml":           "apiVersion: v1\ncontrolPlane: {replicas: 1}\nplatform: {}\n",
		"master.machineconfigpool.yaml": pool("master"),
		"worker.machineconfigpool.yaml": pool("worker"),
		"image-config.yaml":             "apiVersion: config.openshift.io/v1\nkind: Image\nmetadata: {name: cluster}\nspec: {}\n",
	}
	for name, content := range changes {
		data[name] = content
	}
	maps.DeleteFunc(data, func(_, content string) bool { return content == "" })
	return data
}
