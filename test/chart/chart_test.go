package chart

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/servers"
)

const image = "mirror.example.com:5000/mirrorchain/operator:v1"

// variants are components, as kustomize and as the chart have them. Each is deploy/example with
// more.
var variants = []struct {
	name, values string
	components   []string
}{
	{"nothing", "", nil},
	{"control-plane-image", cpoImage, []string{"control-plane-image"}},
	{"configmap-handover", cpoImage + "handover: configmap\n", []string{"control-plane-image", "configmap-handover"}},
	{"registry-overrides", registries, []string{"registry-overrides"}},
	{"certificates", certificates, []string{"certificates"}},
	{"networks", networks, []string{"networks"}},
	{"verify-signatures", "verifySignatures: next\n", []string{"verify-signatures"}},
	{"monitoring", "monitoring: true\n", []string{"monitoring"}},
	{"status-page", "statusPage: true\n", []string{"status-page"}},
	{"status-page-service", "statusPage: service\n", []string{"status-page-service"}},
	{"all", cpoImage + "handover: configmap\nverifySignatures: next\nmonitoring: true\nstatusPage: service\n" + registries + certificates + networks,
		[]string{"monitoring", "control-plane-image", "configmap-handover", "registry-overrides", "certificates", "networks", "verify-signatures", "status-page-service"}},
}

// The values of the components' own examples.
const (
	cpoImage     = "controlPlaneImage: mirror.example.com:5000/mirrorchain/control-plane:v1\n"
	registries   = "registryOverrides: quay.io/openshift-release-dev=mirror.example.com:5000/openshift-release-dev\n"
	certificates = "certificates: {mirror-ca.crt: 'mirror.example.com:5000/ca.crt'}\n"
	networks     = "networks: [10.128.0.0/14, 172.30.0.0/16]\n"
)

// The chart makes the objects that kustomize makes, with its defaults and with each component.
func TestChartIsKustomize(t *testing.T) {
	t.Run("defaults", func(t *testing.T) { compare(t, kustomize(t, "../../deploy/operator"), render(t, "")) })
	tree := t.TempDir()
	if err := os.CopyFS(tree, os.DirFS("../../deploy")); err != nil && !strings.Contains(err.Error(), "chart") { // its links lead out of the copy
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			site := filepath.Join(tree, "site-"+v.name)
			if err := os.Mkdir(site, 0o755); err != nil {
				t.Fatal(err)
			}
			text := "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../example]\ncomponents:\n"
			for _, c := range v.components {
				named[c] = true
				text += "- ../components/" + c + "\n"
			}
			if err := os.WriteFile(filepath.Join(site, "kustomization.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			compare(t, kustomize(t, site), render(t, "image: "+image+"\n"+v.values))
		})
	}
	dirs, err := os.ReadDir("../../deploy/components")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if !named[d.Name()] {
			t.Errorf("the component %s is not compared", d.Name())
		}
	}
}

// What the chart makes is accepted by the API server, and applying the kustomize folder after it
// changes nothing.
func TestChartApplies(t *testing.T) {
	c := cluster.Start(t)
	chart := filepath.Join(t.TempDir(), "chart.yaml")
	var text strings.Builder
	made := render(t, "image: "+image+"\n")
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(made)), func(name string) bool { return name == "Namespace hypershift" })
	for _, name := range append([]string{"Namespace hypershift"}, names...) { // "helm template" puts it first, too
		data, err := yaml.Marshal(made[name])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&text, "---\n%s", data)
	}
	if err := os.WriteFile(chart, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"apply", "--server-side", "-f", chart}, {"diff", "--server-side", "-k", "../../deploy/example"}} {
		if out, err := c.Kubectl(t, args...).CombinedOutput(); err != nil {
			t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// Values that cannot be meant are refused.
func TestChartRefuses(t *testing.T) {
	for values, want := range map[string]string{
		"handover: configmap":      "needs controlPlaneImage",
		"handover: secret":         "handover",
		"verifySignatures: always": "verifySignatures",
		"replicas: 3":              "replicas",
		"statusPage: everybody":    "statusPage",
		"networks: 10.0.0.0/8":     "networks",
		"image: ''":                "image",
	} {
		if _, err := rendered(t, values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", values, err)
		}
	}
}

// More flags, other networks, and a namespace that is there.
func TestChartValues(t *testing.T) {
	objects := render(t, "createNamespace: false\nextraArgs: [--log-level=debug]\nnetworks: ['10.0.0.0/8', 'fd01::/48']\n")
	if _, ok := objects["Namespace hypershift"]; ok {
		t.Error("there is a Namespace")
	}
	policy, err := yaml.Marshal(objects["NetworkPolicy operator"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"- 10.0.0.0/8 - 169.254.0.0/16 -", "- fd01::/48 - fe80::/10 -"} {
		if !strings.Contains(strings.Join(strings.Fields(string(policy)), " "), want) {
			t.Errorf("there is no %q in\n%s", want, policy)
		}
	}
	deployment, err := yaml.Marshal(objects["Deployment operator"])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(deployment), "- --refuse-networks=10.0.0.0/8,fd01::/48\n        - --log-level=debug\n") {
		t.Errorf("the flags are\n%s", deployment)
	}
}

// objects are objects by kind and name.
type objects map[string]map[string]any

func decode(t *testing.T, text string, into objects) {
	t.Helper()
	for d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), len(text)); ; {
		var obj map[string]any
		err := d.Decode(&obj)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if obj == nil {
			continue
		}
		name := fmt.Sprint(obj["kind"], " ", obj["metadata"].(map[string]any)["name"])
		if into[name] != nil {
			t.Errorf("%s is there twice", name)
		}
		into[name] = obj
	}
}

func render(t *testing.T, values string) objects {
	t.Helper()
	files, err := rendered(t, values)
	if err != nil {
		t.Fatal(err)
	}
	out := objects{}
	for name, text := range files {
		if !strings.HasSuffix(name, ".txt") {
			decode(t, text, out)
		}
	}
	return out
}

// rendered renders the chart as "helm template" does.
func rendered(t *testing.T, values string) (map[string]string, error) {
	t.Helper()
	c, err := loader.LoadDir("../../deploy/chart")
	if err != nil {
		t.Fatal(err)
	}
	var given map[string]any
	if err := yaml.Unmarshal([]byte(values), &given); err != nil {
		t.Fatal(err)
	}
	all, err := util.ToRenderValues(c, given, common.ReleaseOptions{Name: "mirrorchain", Namespace: "hypershift"}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

func kustomize(t *testing.T, folder string) objects {
	t.Helper()
	bin, err := servers.Find(servers.ControlPlane)
	if errors.Is(err, servers.ErrNotBuilt) && os.Getenv(servers.EnvDir) == "" {
		t.Skipf("needs kubectl: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := exec.CommandContext(t.Context(), filepath.Join(bin, "kubectl"), "kustomize", folder).Output()
	if err != nil {
		t.Fatal(err)
	}
	out := objects{}
	decode(t, string(text), out)
	return out
}

func compare(t *testing.T, want, got objects) {
	t.Helper()
	if len(want) < 9 {
		t.Errorf("kustomize makes only %d objects", len(want))
	}
	for _, objects := range []objects{want, got} { // flags stand in any order
		spec := objects["Deployment operator"]["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
		args := spec["containers"].([]any)[0].(map[string]any)["args"].([]any)
		slices.SortFunc(args, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kustomize (-) and the chart (+) differ:\n%s", diff)
	}
}
