package payload_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// newRealWorld returns a world with the programs of a release themselves, and inputs as HyperShift
// makes them. gate is the spec of the FeatureGate.
func newRealWorld(t *testing.T, real *machineconfig.Real, o options, gate string) *world {
	t.Helper()
	o.real = real
	file := filepath.Join(t.TempDir(), "gate.yaml")
	if err := os.WriteFile(file, []byte(machineconfig.FeatureGate+"spec: "+gate+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	further := o.cfg
	o.cfg = func(c *payload.Config) {
		c.FeatureGate = file
		if further != nil {
			further(c)
		}
	}
	w := newWorld(t, o)
	w.in.MachineConfigServer = machineconfig.RealConfigMap(string(w.places.CA), nil)
	w.in.Config = []byte(machineConfig)
	return w
}

// machineConfig is a node pool's configuration.
const machineConfig = `apiVersion: machineconfiguration.openshift.io/v1
kind: MachineConfig
metadata:
  name: 99-worker-own
  labels: {machineconfiguration.openshift.io/role: worker}
spec:
  config:
    ignition: {version: 3.2.0}
    storage:
      files:
      - path: /etc/own.conf
        mode: 420
        contents: {source: "data:,$(touch%20/tmp/injected)"}
    systemd:
      units: [{name: own.service, enabled: true, contents: "[Service]\nExecStart=/bin/true\n"}]
`

// node makes a payload and reads it as a node does.
func (w *world) node(real *machineconfig.Real) machineconfig.Ignition {
	w.t.Helper()
	r, err := w.pipeline.Generate(w.t.Context(), w.in)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Version != machineconfig.RealVersion || len(r.Missing) != 0 {
		w.t.Errorf("version %q, missing %q", r.Version, r.Missing)
	}
	if err := real.Validate(w.t.Context(), r.Ignition); err != nil {
		w.t.Errorf("nodes refuse the config: %v", err)
	}
	config, err := machineconfig.Parse(r.Ignition)
	if err != nil {
		w.t.Fatal(err)
	}
	return config
}

// The programs of a release themselves make of HyperShift's inputs what nodes can use: canonical
// references, and nothing of the mirrors. A cluster without a CA bundle of the user's has no
// user-ca-bundle-config.yaml.
func TestReal(t *testing.T) {
	real := machineconfig.NewReal(t)
	w := newRealWorld(t, real, options{}, "{}")
	config := w.node(real)
	component := func(name string) string { return w.places.Source + "/" + componentRepository + "@" + w.digests[name] }
	for name, want := range map[string]string{
		"etc/own.conf":                                   "$(touch /tmp/injected)",
		"etc/kubernetes/kubeconfig":                      "bootstrap-token",
		"etc/kubernetes/kubelet.conf":                    "clusterDNS:\n- 172.31.0.10",
		"etc/kubernetes/kubelet-ca.crt":                  "BEGIN CERTIFICATE",
		"etc/kubernetes/apiserver-url.env":               "api.hosted.example.com",
		"etc/crio/crio.conf.d/00-default":                component("pod"),
		"etc/kubernetes/manifests/criometricsproxy.yaml": component("kube-rbac-proxy"),
		"etc/ignition-machine-config-encapsulated.json":  component("rhel-coreos"),
		"etc/containers/registries.conf":                 "unqualified-search-registries",
		"var/lib/kubelet/config.json":                    w.mirrors[0].Host(), // the pull secret
		"etc/mco/proxy.env":                              "",
	} {
		if got, ok := config.Files[name]; !ok || !strings.Contains(got, want) {
			t.Errorf("%s: %q; want %q in it", name, got, want)
		}
	}
	for name, want := range map[string]string{
		"own.service": "ExecStart=/bin/true", "kubelet.service": "/usr/local/bin/kubenswrapper", "machine-config-daemon-firstboot.service": "", "crio.service": "",
	} {
		if got, ok := config.Units[name]; !ok || !strings.Contains(got, want) {
			t.Errorf("%s: %q; want %q in it", name, got, want)
		}
	}
	for name, content := range config.Files {
		for _, m := range w.mirrors {
			if name != "var/lib/kubelet/config.json" && strings.Contains(content, m.Host()) {
				t.Errorf("%s names a mirror: nodes must not get it", name)
			}
		}
	}
	if s := fmt.Sprint(w.releaseInfo); s != "["+machineconfig.RealVersion+"]" {
		t.Errorf("the release was reported as %s", s)
	}
	w.clean()
}

// What the hosted cluster blocks reaches its nodes, but for the repository of its own release
// where no mirror is left for it: that is the controller's own rule, by --release-image.
func TestRealBlocked(t *testing.T) {
	real := machineconfig.NewReal(t)
	w := newRealWorld(t, real, options{}, "{}")
	blocked := func(hosts ...string) string {
		w.in.MachineConfigServer = machineconfig.RealConfigMap(string(w.places.CA), map[string]string{
			"image-config.yaml": "apiVersion: config.openshift.io/v1\nkind: Image\nmetadata: {name: cluster}\nspec:\n  registrySources:\n    blockedRegistries: ['" + strings.Join(hosts, "', '") + "']\n",
		})
		return w.node(real).Files["etc/containers/registries.conf"]
	}
	if conf := blocked(w.places.Source, "evil.example.com"); strings.Contains(conf, w.places.Source) || !strings.Contains(conf, "evil.example.com") {
		t.Errorf("want evil.example.com blocked alone:\n%s", conf)
	}
	w.in.Config = []byte(`apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: cluster}
spec: {imageDigestMirrors: [{source: "` + w.places.Source + `", mirrors: [mirror.example.com/all]}]}
`)
	if conf := blocked(w.places.Source); !strings.Contains(conf, w.places.Source) || !strings.Contains(conf, "blocked = true") {
		t.Errorf("want %s blocked, which has a mirror:\n%s", w.places.Source, conf)
	}
	w.clean()
}

// What the message begins with where one of the programs fails.
const (
	operatorFails   = "running machine-config-operator: machine-config-operator: exit status 255: "
	controllerFails = "running machine-config-controller: machine-config-controller: exit status 255: error running MCC[BOOTSTRAP]: "
)

// What the programs themselves find wrong is in the message for the token Secret.
func TestRealErrors(t *testing.T) {
	real := machineconfig.NewReal(t)
	fails := func(t *testing.T, w *world, want string) {
		t.Helper()
		_, err := w.pipeline.Generate(t.Context(), w.in)
		reason, message := payload.Report(err)
		if reason != payload.ReasonInvalidConfig || !strings.HasPrefix(message, want) {
			t.Errorf("%s: %q\nwant %q\nerror %v", reason, message, want, err)
		}
		if strings.Contains(message, w.workDir) || strings.Contains(message, password) {
			t.Errorf("it tells too much: %q", message)
		}
		w.clean()
	}
	t.Run("missing component", func(t *testing.T) {
		w := newRealWorld(t, real, options{nowhere: []string{"pod", "keepalived-ipfailover"}}, "{}")
		fails(t, w, operatorFails+"Failed to find coredns in image references")
	})
	w := newRealWorld(t, real, options{}, "{}")
	in := w.in
	kubelet := func(field string) string {
		return "apiVersion: machineconfiguration.openshift.io/v1\nkind: KubeletConfig\nmetadata: {name: own}\nspec:\n" +
			"  machineConfigPoolSelector:\n    matchLabels: {machineconfiguration.openshift.io/mco-built-in: \"\"}\n  kubeletConfig: {" + field + "}\n"
	}
	for name, c := range map[string]struct{ config, changed, want string }{
		"KubeletConfig, forbidden field": {kubelet("clusterDomain: other.local"), "", controllerFails + "KubeletConfiguration: clusterDomain is not allowed to be set"},
		"KubeletConfig, type":            {kubelet("maxPods: many"), "", controllerFails},
		"Ignition version":               {strings.Replace(machineConfig, "{version: 3.2.0}", "{version: 9.9.0}", 1), "", controllerFails + "parsing Ignition config failed: unknown version."},
		"no YAML":                        {"kind: MachineConfig\n  x: [", "", controllerFails + "error parsing manifests from /mcc/custom.yaml: "},
		"no Infrastructure":              {machineConfig, "cluster-infrastructure-02-config.yaml", operatorFails + "error rendering bootstrap manifests: Object 'Kind' is missing in '{}'"},
	} {
		t.Run(name, func(t *testing.T) {
			w.t, w.in = t, in
			w.in.Config = []byte(c.config)
			if c.changed != "" {
				w.in.MachineConfigServer = machineconfig.RealConfigMap(string(w.places.CA), map[string]string{c.changed: "{}"})
			}
			fails(t, w, c.want)
		})
	}
}

// With the feature gate OSStreams the controller inspects images of the operating system with
// a client of its own. It finds them on the mirrors, with the pull secret and the authorities
// of this process, and the source gets not one connection.
func TestRealOSStreams(t *testing.T) {
	real := *machineconfig.NewReal(t)
	real.Controller = real.OSStreams
	ca, certs := filepath.Join(t.TempDir(), "ca.pem"), t.TempDir()
	systems := map[string][]testpayload.Entry{}
	for _, name := range []string{"rhel-coreos", "rhel-coreos-extensions"} {
		systems[name] = []testpayload.Entry{testpayload.File("etc/os-release", "ID="+name)}
	}
	for gate, inspects := range map[string]bool{"{featureSet: CustomNoUpgrade, customNoUpgrade: {enabled: [OSStreams]}}": true, "{}": false} {
		t.Run(gate, func(t *testing.T) {
			w := newRealWorld(t, &real, options{components: systems, only: 2, cfg: func(c *payload.Config) { c.Clients.CertDirs = []string{certs} }}, gate)
			for _, m := range w.mirrors {
				if err := m.WriteCertsDir(certs); err != nil {
					t.Fatal(err)
				}
			}
			w.in.OSStream = "rhel-10"
			config := w.node(&real)
			for name := range systems {
				inspected := testregistry.Match{Repository: mirroredComponents, Kind: testregistry.Manifest, Reference: w.digests[name]}
				if n := w.mirrors[1].Count(inspected); (n > 0) != inspects {
					t.Errorf("the mirror was asked %d times for %s", n, name)
				}
				if inspects && !slices.ContainsFunc(w.mirrors[1].Requests(inspected), testregistry.Request.Authorized) {
					t.Errorf("%s was read without the pull secret", name)
				}
			}
			if got, want := config.Files["etc/ignition-machine-config-encapsulated.json"], w.places.Source+"/"+componentRepository+"@"+w.digests["rhel-coreos"]; !strings.Contains(got, want) {
				t.Errorf("nodes are to run another system than %s:\n%s", want, got)
			}
			if n := w.source.Main().Stats().Connections; n != 0 {
				t.Errorf("the source got %d connections", n)
			}
			w.clean()
		})
	}
	t.Run("nowhere", func(t *testing.T) {
		w := newRealWorld(t, &real, options{components: systems, cfg: func(c *payload.Config) { c.Clients.Bundles = []string{ca} }}, "{featureSet: CustomNoUpgrade, customNoUpgrade: {enabled: [OSStreams]}}")
		if err := os.WriteFile(ca, w.places.CA, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, m := range w.mirrors {
			m.Fail(testregistry.Match{Reference: w.digests["rhel-coreos"]}, testregistry.Status(http.StatusNotFound))
		}
		_, err := w.pipeline.Generate(t.Context(), w.in)
		_, message := payload.Report(err)
		for _, want := range []string{controllerFails + "inspecting ", "Mirrors also failed: ", mirroredComponents + ": unknown: Not Found", " is blocked in "} {
			if !strings.Contains(message, want) {
				t.Errorf("the message is %q; want %q in it", message, want)
			}
		}
		if n := w.source.Main().Stats().Connections; n != 0 {
			t.Errorf("the source got %d connections", n)
		}
		w.clean()
	})
}
