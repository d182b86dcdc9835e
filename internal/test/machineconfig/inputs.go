package machineconfig

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ConfigurationHash is that of [ConfigMap].
const ConfigurationHash = "h1"

// ConfigMap returns the data of ConfigMap machine-config-server. mode makes a program go
// wrong, "WHO:WHAT", as in "operator:fail"; "" does not.
func ConfigMap(mode string) map[string]string {
	data := map[string]string{"configuration-hash": ConfigurationHash, "install-config.yaml": "mode: " + mode}
	for _, name := range []string{"root-ca.crt", "signer-ca.crt", "cluster-infrastructure-02-config.yaml", "cluster-network-02-config.yaml",
		"cluster-proxy-01-config.yaml", "cluster-dns-02-config.yaml", "user-ca-bundle-config.yaml", "cluster-apiserver-config.yaml",
		"image-config.yaml", "worker.machineconfigpool.yaml", "pull-secret.yaml"} {
		data[name] = "of the configmap: " + name
	}
	return data
}

// BootstrapKubeconfig is what Secret bootstrap-kubeconfig holds as kubeconfig.
const BootstrapKubeconfig = "kind: Config\nusers:\n- user:\n    token: bootstrap-token\n"

// PullSecret returns a pull secret with the same user and password for each host.
func PullSecret(user, password string, hosts ...string) []byte {
	auths := map[string]any{}
	for _, h := range hosts {
		auths[h] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}
	}
	b, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil { // strings alone
		panic(err)
	}
	return b
}

// Files are what came out of the programs, by name: what machine-config-controller
// was given, and the arguments of each program.
type Files map[string]string

// Decode reads an Ignition config that the stand-in served. One of another version
// than 3.2.0 is an error.
func Decode(ignition []byte) (Files, error) {
	var config struct {
		Ignition struct{ Version string }
		Storage  struct {
			Files []struct {
				Path     string
				Contents struct{ Source string }
			}
		}
	}
	if err := json.Unmarshal(ignition, &config); err != nil {
		return nil, err
	}
	if v := config.Ignition.Version; v != "3.2.0" {
		return nil, fmt.Errorf("the Ignition config has version %q; want 3.2.0", v)
	}
	files := Files{}
	for _, f := range config.Storage.Files {
		_, encoded, ok := strings.Cut(f.Contents.Source, ",")
		content, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || !ok {
			return nil, errors.Join(fmt.Errorf("the Ignition config's %s is no data URL", f.Path), err)
		}
		files[strings.TrimPrefix(f.Path, "/")] = string(content)
	}
	return files, nil
}
