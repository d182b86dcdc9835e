package machineconfig

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
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
const BootstrapKubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster: {server: https://api.hosted.example.com:6443, certificate-authority-data: bm8gY2VydGlmaWNhdGU=}
contexts:
- name: kubelet
  context: {cluster: cluster, user: kubelet}
current-context: kubelet
users:
- name: kubelet
  user:
    token: bootstrap-token
`

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

// Ignition is an Ignition config.
type Ignition struct {
	Files Files             // by path, without the slash at its beginning
	Units map[string]string // of systemd, by name; "" for one without content
}

// Decode returns the files of [Parse].
func Decode(ignition []byte) (Files, error) {
	config, err := Parse(ignition)
	return config.Files, err
}

// Parse reads an Ignition config. One of another version than 3.2.0 is an error.
func Parse(ignition []byte) (Ignition, error) {
	var config struct {
		Ignition struct{ Version string }
		Storage  struct {
			Files []struct {
				Path     string
				Contents struct{ Source, Compression string }
			}
		}
		Systemd struct {
			Units []struct{ Name, Contents string }
		}
	}
	if err := json.Unmarshal(ignition, &config); err != nil {
		return Ignition{}, err
	}
	if v := config.Ignition.Version; v != "3.2.0" {
		return Ignition{}, fmt.Errorf("the Ignition config has version %q; want 3.2.0", v)
	}
	out := Ignition{Files: Files{}, Units: map[string]string{}}
	for _, f := range config.Storage.Files {
		content, err := decodeURL(f.Contents.Source, f.Contents.Compression)
		if err != nil {
			return Ignition{}, fmt.Errorf("the Ignition config's %s: %w", f.Path, err)
		}
		out.Files[strings.TrimPrefix(f.Path, "/")] = content
	}
	for _, u := range config.Systemd.Units {
		out.Units[u.Name] = u.Contents
	}
	return out, nil
}

// decodeURL reads a data URL (RFC 2397).
func decodeURL(source, compression string) (string, error) {
	kind, encoded, ok := strings.Cut(source, ",")
	if !ok && source != "" {
		return "", errors.New("it is no data URL")
	}
	content, err := url.PathUnescape(encoded)
	if err == nil && strings.HasSuffix(kind, ";base64") {
		var b []byte
		b, err = base64.StdEncoding.DecodeString(content)
		content = string(b)
	}
	if err == nil && compression == "gzip" {
		var z *gzip.Reader
		if z, err = gzip.NewReader(strings.NewReader(content)); err == nil {
			var b []byte
			b, err = io.ReadAll(z)
			content = string(b)
		}
	}
	return content, err
}
