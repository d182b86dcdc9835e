package testpayload

import (
	"encoding/json"
	"fmt"
	"strings"
)

// The parts of a CoreOS stream that a release's boot images have.
type (
	stream struct {
		Stream        string            `json:"stream"`
		Metadata      *streamStamp      `json:"metadata,omitempty"`
		Architectures map[string]osArch `json:"architectures"`
	}
	streamStamp struct {
		LastModified string `json:"last-modified"`
		Generator    string `json:"generator"`
	}
	osArch struct {
		Artifacts map[string]osArtifacts `json:"artifacts"`
		Images    map[string]any         `json:"images"`
	}
	osArtifacts struct {
		Release string                       `json:"release"`
		Formats map[string]map[string]osFile `json:"formats"`
	}
	osFile struct {
		Location           string `json:"location"`
		Sha256             string `json:"sha256"`
		UncompressedSha256 string `json:"uncompressed-sha256"`
	}
)

// BootImagesConfigMap returns the file 0000_50_installer_coreos-bootimages.yaml, nil
// with NoBootImages.
func (r Release) BootImagesConfigMap() []byte {
	r = r.withDefaults()
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: coreos-bootimages\n  namespace: openshift-machine-config-operator\ndata:\n")
	fmt.Fprintf(&b, "  releaseVersion: %s\n", r.Version)
	switch r.BootImages {
	case NoBootImages:
		return nil
	case MultiStream:
		writeBlock(&b, "stream", r.stream("rhcos-4.21", "9.8", 3))
		writeBlock(&b, "streams", map[string]stream{
			"rhel-9":  r.stream("rhcos-4.21", "9.8", 3),
			"rhel-10": r.stream("rhcos-4.22", "10.2", 3),
		})
	default:
		writeBlock(&b, "stream", r.stream("rhcos-4.17", "417.94", 11))
	}
	return []byte(b.String())
}

// writeBlock writes v as JSON in a YAML literal block.
func writeBlock(b *strings.Builder, key string, v any) {
	j, err := json.MarshalIndent(v, "", "  ")
	if err != nil { // nothing in it can fail
		panic(err)
	}
	fmt.Fprintf(b, "  %s: |-\n", key)
	for line := range strings.Lines(string(j)) {
		b.WriteString("    " + line)
	}
	b.WriteString("\n")
}

// KubeVirtDigestRef returns the KubeVirt boot image of the default stream, or of the
// stream of that name ("rhel-9", "rhel-10").
func (r Release) KubeVirtDigestRef(streamName string) string {
	return r.withDefaults().Repository + "@" + r.KubeVirtImage(streamName).Digest
}

func (r Release) kubevirtName(streamName string) string {
	os := "417.94"
	if r.BootImages == MultiStream {
		os = "9.8"
		if streamName == "rhel-10" {
			os = "10.2"
		}
	}
	return "kubevirt " + os + " " + r.Version
}

func (r Release) stream(name, os string, platforms int) stream {
	release := os + "." + r.Created.Format("20060102") + "-0"
	s := stream{Stream: name, Architectures: make(map[string]osArch)}
	if r.BootImages == SingleStream {
		s.Metadata = &streamStamp{LastModified: r.Created.Format("2006-01-02T15:04:05Z"), Generator: "plume cosa2stream"}
	}
	all := []string{"openstack", "metal", "qemu", "aws", "azure", "gcp", "ibmcloud", "nutanix", "vmware", "powervs", "azurestack"}
	for _, arch := range []string{"x86_64", "aarch64", "ppc64le", "s390x"} {
		a := osArch{Artifacts: make(map[string]osArtifacts), Images: make(map[string]any)}
		for _, platform := range all[:platforms] {
			file := func(kind string) map[string]osFile {
				at := fmt.Sprintf("https://rhcos.mirror.openshift.com/art/storage/prod/streams/%s/builds/%s/%s/rhcos-%s-%s.%s.%s", name, release, arch, release, platform, arch, kind)
				return map[string]osFile{"disk": {at, Digest([]byte(at))[7:], Digest([]byte("unpacked " + at))[7:]}}
			}
			a.Artifacts[platform] = osArtifacts{release, map[string]map[string]osFile{"qcow2.gz": file("qcow2.gz")}}
		}
		regions := make(map[string]any)
		for _, region := range []string{"ap-south-1", "eu-central-1", "eu-west-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-2"} {
			regions[region] = map[string]string{"release": release, "image": "ami-0" + Digest([]byte(region + arch + release))[7:23]}
		}
		a.Images["aws"] = map[string]any{"regions": regions}
		if arch == "x86_64" {
			a.Images["gcp"] = map[string]string{"release": release, "project": "rhcos-cloud", "name": "rhcos-" + strings.ReplaceAll(release, ".", "-") + "-gcp-x86-64"}
			a.Images["kubevirt"] = map[string]string{
				"release": release, "image": r.Repository + ":" + os + "-kubevirt", "digest-ref": r.Repository + "@" + unreadable("kubevirt "+os+" "+r.Version).Digest,
			}
		}
		s.Architectures[arch] = a
	}
	return s
}
