package payload

import (
	"context"
	"fmt"
	"hash/fnv"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Generator makes payloads. Implementations are safe for concurrent use.
type Generator interface {
	// Generate makes a payload. [Report] turns an error into what the token secret says.
	Generate(ctx context.Context, in Inputs) (Result, error)
}

// Inputs is what a payload is made of: the content of a token secret, and of the
// objects in the control plane namespace that belong to it. A hash that is "" is not
// checked. Generate does not change it.
type Inputs struct {
	// Name says for what, in logs: the token secret's name.
	Name string
	// Release is the pullspec of the node pool's release.
	Release string
	// Config is the node pool's configuration, decoded (see [DecodeConfig]).
	Config []byte
	// OSStream is the default stream of the operating system, "" for none.
	OSStream string
	// Platform is that of the cluster: "Azure" and "OpenStack" need a CloudConfig.
	Platform string

	// PullSecret is .dockerconfigjson of Secret pull-secret.
	PullSecret     []byte
	PullSecretHash string
	// MirrorCredentials are for reading the release and its images here. Neither programs nor
	// nodes get any of them.
	MirrorCredentials provider.MirrorCredentials
	// UserCABundle is ca-bundle.crt of ConfigMap user-ca-bundle, "" without one.
	UserCABundle     string
	UserCABundleHash string
	// ManagedCABundle is ca-bundle.crt of ConfigMap trusted-ca-bundle-managed. If it
	// is not nil, it must be what user-ca-bundle-config.yaml of MachineConfigServer
	// holds.
	ManagedCABundle *string
	// BootstrapKubeconfig is kubeconfig of Secret bootstrap-kubeconfig.
	BootstrapKubeconfig []byte
	// MachineConfigServer is the data of ConfigMap machine-config-server. Its key
	// configuration-hash must be ConfigurationHash.
	MachineConfigServer map[string]string
	ConfigurationHash   string
	// CloudConfig is the cloud provider's configuration, nil without one.
	CloudConfig     *CloudConfig
	CloudConfigHash string
}

// CloudConfig is a ConfigMap with a cloud provider's configuration.
type CloudConfig struct {
	// Manifest is the ConfigMap as YAML.
	Manifest []byte
	// Hash is that of its content as it is now, to compare with what the token secret
	// asks for.
	Hash string
}

// Result is a payload.
type Result struct {
	// Ignition is the Ignition config.
	Ignition []byte
	// Version is that of the release.
	Version string
	// Missing are component images that were asked for and that the release lacks,
	// sorted; the payload was made without them.
	Missing []string
}

// Hash returns HyperShift's hash of a part of a payload: 32-bit FNV-1a of the value printed
// with %v, as eight hexadecimal digits (support/util/util.go HashSimple). A []byte is
// printed as the list of its numbers, so a string and its bytes have different hashes.
func Hash(v any) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%v", v)
	return fmt.Sprintf("%08x", h.Sum32())
}
