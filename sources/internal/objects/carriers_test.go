package objects

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

const (
	conf1 = "[[registry]]\nlocation = \"a.io\"\n[[registry.mirror]]\nlocation = \"m.io\"\n"
	// inner is an IDMS as an item of a list, with the indentation of four.
	inner = "    apiVersion: config.openshift.io/v1\n    kind: ImageDigestMirrorSet\n    metadata: {name: x}\n    spec:\n      imageDigestMirrors:\n      - source: a.io\n        mirrors: [m.io]\n"
)

func machineConfig(name, role, path, source string) string {
	return "---\napiVersion: machineconfiguration.openshift.io/v1\nkind: MachineConfig\nmetadata:\n  name: " + name +
		"\n  labels: {machineconfiguration.openshift.io/role: " + role + "}\nspec:\n  config:\n    ignition: {version: 3.2.0}\n    storage:\n      files:\n      - path: " + path +
		"\n        contents: {source: '" + source + "'}\n"
}

func base64URL(text string) string {
	return "data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(text))
}

// Objects that carry policy are read, and the origin names the way in.
func TestCarriers(t *testing.T) {
	const drop = "/etc/containers/registries.conf.d/99-x.conf"
	item := "  -\n" + inner
	for _, tc := range []struct{ name, text, origin string }{
		{"MachineConfig, base64", machineConfig("mc", "worker", drop, base64URL(conf1)), "p.yaml:12 machineconfig/mc " + drop + ":1 [[registry]]#1"},
		{"MachineConfig, percent-encoded", machineConfig("mc", "worker", confPath, "data:,"+url.PathEscape(conf1)), confPath + ":1 [[registry]]#1"},
		{"MachineConfig, half-encoded", machineConfig("mc", "worker", confPath, "data:text/plain,"+strings.NewReplacer("\n", "%0A", "[", "%5B").Replace(conf1)), confPath + ":1 [[registry]]#1"},
		{"MachineConfig, base64 that is percent-encoded", machineConfig("mc", "worker", confPath, strings.ReplaceAll(base64URL(conf1), "=", "%3D")), confPath},
		{"Ignition", `{"ignition":{"version":"3.2.0"},"storage":{"files":[{"path":"` + drop + `","contents":{"source":"` + base64URL(conf1) + `"}}]}}`, "p.yaml:1 " + drop},
		{"Butane", "variant: openshift\nversion: 4.20.0\nmetadata: {name: mc}\nstorage:\n  files:\n  - path: " + drop + "\n    contents:\n      inline: |\n        " + strings.ReplaceAll(conf1, "\n", "\n        "), drop},
		{"ConfigMap with a conf", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  registries.conf: |\n    " + strings.ReplaceAll(conf1, "\n", "\n    "), "configmap/c registries.conf:1 [[registry]]#1"},
		{"ConfigMap of a NodePool", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  config: |\n" + inner, "configmap/c config:6 imagedigestmirrorset/x#1"},
		{"ConfigMap of a NodePool with a MachineConfig", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  config: |\n    " + strings.ReplaceAll(machineConfig("mc", "worker", drop, base64URL(conf1)), "\n", "\n    "), "configmap/c config:12 machineconfig/mc " + drop},
		{"ConfigMap, proposed", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  idms.yaml: |\n" + inner, "configmap/c idms.yaml:6"},
		{"cluster-config-v1", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cluster-config-v1}\ndata:\n  install-config: |\n    baseDomain: x\n    imageDigestSources: [{source: a.io, mirrors: [m.io]}]\n", "configmap/cluster-config-v1 install-config:2 install-config/imageDigestSources#1"},
		{"ImageBasedInstallationConfig", "apiVersion: v1beta1\nkind: ImageBasedInstallationConfig\nmetadata: {name: i}\nimageDigestSources:\n- source: a.io\n  mirrors: [m.io]\n  sourcePolicy: AllowContactingSource\n", "imagebasedinstallationconfig/i#1"},
		{"ImageClusterInstall", "apiVersion: extensions.hive.openshift.io/v1alpha1\nkind: ImageClusterInstall\nmetadata: {name: i, namespace: n}\nspec:\n  imageDigestSources:\n  - source: a.io\n    mirrors: [m.io]\n", "imageclusterinstall/i#1"},
		{"List without a version", "kind: List\nitems:\n" + item, "imagedigestmirrorset/x#1"},
		{"SyncSet", "apiVersion: hive.openshift.io/v1\nkind: SyncSet\nmetadata: {name: s}\nspec:\n  resources:\n" + item, "imagedigestmirrorset/x#1"},
		{"Template", "apiVersion: template.openshift.io/v1\nkind: Template\nmetadata: {name: s}\nobjects:\n" + item, "imagedigestmirrorset/x#1"},
		{"ManifestWork", "apiVersion: work.open-cluster-management.io/v1\nkind: ManifestWork\nmetadata: {name: s}\nspec:\n  workload:\n    manifests:\n    -\n" + strings.ReplaceAll("\n"+strings.TrimSuffix(inner, "\n"), "\n", "\n  ") + "\n", "imagedigestmirrorset/x#1"},
		{"Policy of ACM", "apiVersion: policy.open-cluster-management.io/v1\nkind: Policy\nmetadata: {name: p}\nspec:\n  policy-templates:\n  - objectDefinition:\n      apiVersion: policy.open-cluster-management.io/v1\n      kind: ConfigurationPolicy\n      metadata: {name: c}\n      spec:\n        object-templates:\n        - complianceType: musthave\n          objectDefinition:\n" + strings.ReplaceAll("\n"+strings.TrimSuffix(inner, "\n"), "\n", "\n        "), "imagedigestmirrorset/x#1"},
	} {
		p := decode(t, tc.text)
		if len(p.Rules) != 1 || p.Rules[0].Source != "a.io" || len(p.Rules[0].Mirrors) != 1 || p.Rules[0].Mirrors[0].Location != "m.io" {
			t.Errorf("%s: got %+v", tc.name, p)
			continue
		}
		if got := p.Rules[0].Origin; !strings.Contains(got, tc.origin) || !strings.HasPrefix(got, where) {
			t.Errorf("%s: the origin is %q, want %q in it", tc.name, got, tc.origin)
		}
		if len(p.Warnings) != 0 {
			t.Errorf("%s: warnings %v", tc.name, p.Warnings)
		}
	}
}

// What only looks like a carrier, or says the opposite, is skipped.
func TestNoCarriers(t *testing.T) {
	for name, text := range map[string]string{
		"registries.conf of Argo CD's image updater": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  registries.conf: |\n    registries:\n    - name: Docker Hub\n      prefix: docker.io\n",
		"a ConfigMap with a config of its own":       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  config: |\n    a: {{ b }}\n",
		"another MachineConfig":                      machineConfig("mc", "worker", "/etc/chrony.conf", "data:,x"),
		"a policy that forbids":                      "apiVersion: policy.open-cluster-management.io/v1\nkind: ConfigurationPolicy\nmetadata: {name: c}\nspec:\n  object-templates:\n  - complianceType: mustnothave\n    objectDefinition:\n  " + strings.ReplaceAll(inner, "\n", "\n  ") + "\n",
		"the definition of the kind":                 "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\nspec:\n  names: {kind: ImageDigestMirrorSet}\n  x: 'registries.conf'\n",
		"a list of images":                           "- source: quay.io/x:v1\n  target: m.io/x:v1\n",
		"a playbook":                                 "- name: copy\n  hosts: all\n  force: true\n  source: x\n",
		"another install-config":                     "baseDomain: x\nplatform: {none: {}}\n",
	} {
		p := decode(t, text)
		for _, w := range p.Warnings {
			if w.Code != policy.WarnNoRules {
				t.Errorf("%s: %v", name, w)
			}
		}
		if len(p.Rules) > 0 {
			t.Errorf("%s: got %+v", name, p.Rules)
		}
	}
}

// What is skipped and carries policy is named, and strict mode refuses it.
func TestNotRead(t *testing.T) {
	for name, text := range map[string]string{
		"a kind inside":              "apiVersion: example.com/v1\nkind: Bundle\nmetadata: {name: b}\nspec:\n  things:\n  -\n" + inner,
		"a text":                     "apiVersion: v1\nkind: Secret\nmetadata: {name: b}\nstringData:\n  x: |\n    [[registry]]\n    location = 'a.io'\n",
		"a key":                      "apiVersion: example.com/v1\nkind: SiteConfig\nmetadata: {name: b}\nspec:\n  clusters:\n  - imageDigestSources: []\n",
		"raw templates":              "apiVersion: policy.open-cluster-management.io/v1\nkind: ConfigurationPolicy\nmetadata: {name: b}\nspec:\n  object-templates-raw: |\n    - objectDefinition:\n        kind: ImageDigestMirrorSet\n",
		"another key of a ConfigMap": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata:\n  mirrors.toml: |\n    [[registry]]\n    location = 'a.io'\n",
	} {
		p := decode(t, text)
		if len(p.Rules) != 0 || len(p.Warnings) != 1 || p.Warnings[0].Code != policy.WarnNotRead || !strings.Contains(p.Warnings[0].Message, "/b carries policy that is not read") {
			t.Errorf("%s: got %+v", name, p)
		}
		if _, err := policy.NewRules(policy.RulesConfig{}, p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		_, err := policy.NewRules(policy.RulesConfig{Strict: true}, p)
		if _, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok {
			t.Errorf("%s: strict mode says %v", name, err)
		}
	}
}

// The later object by name replaces the file of the earlier one, wherever it stands.
func TestMachineConfigsReplace(t *testing.T) {
	other := strings.ReplaceAll(conf1, "m.io", "n.io")
	text := machineConfig("99-b", "worker", confPath, base64URL(conf1)) + machineConfig("50-a", "worker", confPath, base64URL(other))
	if p := decode(t, text); len(p.Rules) != 1 || p.Rules[0].Mirrors[0].Location != "m.io" || len(p.Warnings) != 0 {
		t.Errorf("got %+v", p)
	}
	text = machineConfig("99-b", "worker", confPath, base64URL(conf1)) + machineConfig("99-a", "master", confPath, base64URL(other))
	if p := decode(t, text); len(p.Rules) != 1 || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Message, `differs for the roles "master" and "worker"`) {
		t.Errorf("got %+v", p)
	}
	text = machineConfig("99-b", "worker", confPath, base64URL(conf1)) + machineConfig("99-a", "master", confPath, base64URL(conf1))
	if p := decode(t, text); len(p.Rules) != 1 || len(p.Warnings) != 0 {
		t.Errorf("got %+v", p)
	}
}

// An error inside a carrier names the way to it and shows nothing of the rest.
func TestCarrierErrors(t *testing.T) {
	for text, want := range map[string]string{
		machineConfig("mc", "worker", confPath, "https://example.com/x"):                                             "machineconfig/mc " + confPath + ": the contents are not in the object",
		machineConfig("mc", "worker", confPath, "data:;base64,!"):                                                    "is not base64",
		machineConfig("mc", "worker", confPath, base64URL("[[registry]]\n")):                                         confPath + ":1 [[registry]]#1: the table has neither",
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  config: |\n    kind: ImageDigestMirrorSet\n": "configmap/c config:1 imagedigestmirrorset: ImageDigestMirrorSet has the apiVersion",
	} {
		_, err := Decode(where, []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// FuzzDecodeCarriers checks that any text is read, or refused, and never half read.
func FuzzDecodeCarriers(f *testing.F) {
	f.Add(machineConfig("mc", "worker", confPath, base64URL(conf1)))
	f.Add("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  config: |\n" + inner)
	f.Add("kind: List\nitems:\n  -\n" + inner)
	f.Add(inner + machineConfig("mc", "worker", confPath, "data:;base64,%"))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Decode(where, []byte(text))
		if err == nil {
			return
		}
		if _, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || len(p.Rules) > 0 {
			t.Fatalf("%q: got %+v, %v", text, p, err)
		}
	})
}
