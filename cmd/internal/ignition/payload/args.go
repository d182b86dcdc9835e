package payload

import (
	"path/filepath"
	"strconv"
)

// What the programs of a release are called with, by its version: the table of
// HyperShift's ignition-server/controllers/local_ignitionprovider.go. base is the
// work directory.

// renderer returns the program that renders the feature gate: component and file.
func renderer(v release) (component, file string) {
	if v.atLeast(15) {
		return "cluster-config-api", "usr/bin/render"
	}
	return "cluster-config-operator", "usr/bin/cluster-config-operator"
}

func renderArgs(v release, dir string) []string {
	in := func(name string) string { return filepath.Join(dir, name) }
	if v.atLeast(15) {
		return []string{
			"--asset-output-dir", in("output"),
			"--image-manifests=input",
			"--rendered-manifest-dir=" + in("manifests"),
			"--cluster-profile=ibm-cloud-managed",
			"--payload-version=" + v.text,
		}
	}
	args := []string{
		"render",
		"--config-output-file", "config",
		"--asset-input-dir", in("input"),
		"--asset-output-dir", in("output"),
	}
	if v.atLeast(14) {
		args = append(args, "--rendered-manifest-files="+in("manifests"), "--payload-version="+v.text)
	}
	return args
}

// An imageFlag is a flag of machine-config-operator before 4.13, which did not read
// image-references. alias is another name of the component, which counts if the release has it.
type imageFlag struct{ flag, component, alias string }

var imageFlags = []imageFlag{
	{flag: "--machine-config-operator-image", component: "machine-config-operator"},
	{flag: "--machine-config-oscontent-image", component: "machine-os-content"},
	{flag: "--infra-image", component: "pod"},
	{flag: "--keepalived-image", component: "keepalived-ipfailover"},
	{flag: "--coredns-image", component: "coredns"},
	// HyperShift asks for haproxy; OpenShift's releases have haproxy-router.
	{flag: "--haproxy-image", component: "haproxy-router", alias: "haproxy"},
	{flag: "--baremetal-runtimecfg-image", component: "baremetal-runtimecfg"},
}

// operatorArgs asks image for the components it names.
func operatorArgs(v release, base, releaseImage string, image func(component string) string, optional func(component string) (string, bool), cloudConfig bool) []string {
	config := func(name string) string { return filepath.Join(base, "config", name) }
	args := []string{
		"bootstrap",
		"--root-ca=" + config("root-ca.crt"),
		"--infra-config-file=" + config("cluster-infrastructure-02-config.yaml"),
		"--network-config-file=" + config("cluster-network-02-config.yaml"),
		"--proxy-config-file=" + config("cluster-proxy-01-config.yaml"),
		"--config-file=" + config("install-config.yaml"),
		"--dns-config-file=" + config("cluster-dns-02-config.yaml"),
		"--pull-secret=" + config("pull-secret.yaml"),
		"--dest-dir=" + filepath.Join(base, "mco"),
		"--additional-trust-bundle-config-file=" + config(userCABundleFile),
		"--release-image=" + releaseImage,
	}
	if v.atLeast(14) {
		args = append(args, "--payload-version="+v.text)
	}
	if v.atLeast(13) {
		args = append(args, "--image-references="+config(imageReferences), "--kube-ca="+config("signer-ca.crt"))
	} else {
		for _, f := range imageFlags {
			known, ok := optional(f.alias)
			if !ok {
				known = image(f.component)
			}
			args = append(args, f.flag+"="+known)
		}
		args = append(args, "--kube-ca="+config("root-ca.crt"))
	}
	if image, ok := optional("mdns-publisher"); ok {
		args = append(args, "--mdns-publisher-image="+image)
	}
	if cloudConfig {
		args = append(args, "--cloud-config-file="+filepath.Join(base, "mco", "cloud.conf.configmap.yaml"))
	}
	return args
}

func controllerArgs(v release, base string) []string {
	in := func(elem ...string) string { return filepath.Join(append([]string{base}, elem...)...) }
	args := []string{
		"bootstrap",
		"--manifest-dir=" + in("mcc"),
		"--templates=" + in("mcc", "etc", "mcc", "templates"),
		"--pull-secret=" + in("mcc", "machineconfigcontroller-pull-secret"),
		"--dest-dir=" + in("mcs"),
	}
	return withVersion(v, args)
}

func serverArgs(v release, base string, secure, insecure int) []string {
	in := func(name string) string { return filepath.Join(base, "mcs", name) }
	args := []string{
		"bootstrap",
		"--server-basedir=" + filepath.Join(base, "mcs"),
		"--bootstrap-kubeconfig=" + in("kubeconfig"),
		"--cert=" + in("tls.crt"),
		"--key=" + in("tls.key"),
		"--secure-port=" + strconv.Itoa(secure),
		"--insecure-port=" + strconv.Itoa(insecure),
	}
	return withVersion(v, args)
}

func withVersion(v release, args []string) []string {
	if v.atLeast(14) {
		args = append(args, "--payload-version="+v.text)
	}
	return args
}
