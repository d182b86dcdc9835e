package payload

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

const (
	configurationHash = "configuration-hash" // a key that is no file
	userCABundleFile  = "user-ca-bundle-config.yaml"
	caBundleKey       = "ca-bundle.crt"

	// replace says what helps where what is waited for does not come.
	replace = "If it was replaced before the token secret was made, delete the token secret: its node pool makes another"

	maxConfig = 64 << 20 // bytes of a configuration, decoded
)

// DecodeConfig reads the key config of a token secret: gzip, then base64.
func DecodeConfig(encoded []byte) ([]byte, error) {
	z, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(encoded)))
	if err != nil {
		return nil, fmt.Errorf("the token secret's config: %w; want gzip in base64", err)
	}
	b, err := io.ReadAll(io.LimitReader(z, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("the token secret's config: %w; want gzip in base64", err)
	}
	if len(b) > maxConfig {
		return nil, fmt.Errorf("the token secret's config: over %d bytes", maxConfig)
	}
	return b, nil
}

// check finds what is wrong with in before anything is done for it. Most of it means
// that an object is not up to date yet.
func (in *Inputs) check() error {
	switch {
	case in.PullSecretHash != "" && Hash(in.PullSecret) != in.PullSecretHash:
		return errors.New("secret pull-secret is not the one that the token secret was made for; waiting for it. " + replace)
	case in.UserCABundleHash != "" && Hash(in.UserCABundle) != in.UserCABundleHash:
		return errors.New("configmap user-ca-bundle is not the one that the token secret was made for; waiting for it. " + replace)
	case len(in.BootstrapKubeconfig) == 0:
		return errors.New("secret bootstrap-kubeconfig has no kubeconfig")
	case in.ConfigurationHash != "" && in.MachineConfigServer[configurationHash] != in.ConfigurationHash:
		return errors.New("configmap machine-config-server is out of date; waiting for it")
	}
	for name := range in.MachineConfigServer {
		if name == "" || name == "." || name == ".." || name != filepath.Base(name) {
			return fmt.Errorf("configmap machine-config-server: %q is no file name", name)
		}
	}
	if in.ManagedCABundle != nil {
		var bundle struct {
			Data map[string]string `json:"data"`
		}
		if err := yaml.Unmarshal([]byte(in.MachineConfigServer[userCABundleFile]), &bundle); err != nil {
			return fmt.Errorf("configmap machine-config-server: %s is no YAML", userCABundleFile)
		}
		if bundle.Data[caBundleKey] != *in.ManagedCABundle {
			return fmt.Errorf("configmap machine-config-server: %s has another %s than configmap trusted-ca-bundle-managed; waiting for it", userCABundleFile, caBundleKey)
		}
	}
	if in.needsCloudConfig() {
		switch {
		case in.CloudConfig == nil:
			return &Error{Reason: ReasonCloudConfigPending, Err: errors.New("the cloud provider's configmap is not there yet")}
		case in.CloudConfigHash != "" && in.CloudConfig.Hash != in.CloudConfigHash:
			return &Error{Reason: ReasonCloudConfigPending, Err: errors.New("the cloud provider's configmap is not the one that the token secret was made for; waiting for it")}
		}
	}
	return nil
}

func (in *Inputs) needsCloudConfig() bool {
	return in.Platform == "Azure" || in.Platform == "OpenStack"
}
