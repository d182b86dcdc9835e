package hostedcontrolplane_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	configv1 "github.com/openshift/api/config/v1"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/internal/test/golden"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

var update = flag.Bool("update", false, "write the golden files")

func TestImageOverrides(t *testing.T) {
	for _, tc := range []struct {
		in       string
		want     map[string]string
		warnings int
	}{
		{"", nil, 0},
		{"=", nil, 0},
		{",,=", nil, 0},
		{"a=quay.io/x/y:1,b=quay.io/x/z@sha256:" + strings.Repeat("0", 64), map[string]string{"a": "quay.io/x/y:1", "b": "quay.io/x/z@sha256:" + strings.Repeat("0", 64)}, 0},
		{"a=quay.io/x/y:1,a=quay.io/x/y:2", map[string]string{"a": "quay.io/x/y:2"}, 0},
		{"a,b=quay.io/x", map[string]string{"b": "quay.io/x"}, 1},
		{"=quay.io/x,b=,c", nil, 3},
		{" a=quay.io/x", map[string]string{" a": "quay.io/x"}, 0},
		{"a=quay.io/x,b=quay.io/UPPER case", map[string]string{"a": "quay.io/x"}, 1},
		{" a = b ", nil, 1},
		{"a=b=c,b=quay.io/x", map[string]string{"b": "quay.io/x"}, 1},
	} {
		images, warnings := hcpkg.ImageOverrides(tc.in)
		var got map[string]string
		for name, ref := range images {
			if got == nil {
				got = map[string]string{}
			}
			got[name] = ref.String()
		}
		if diff := cmp.Diff(tc.want, got); diff != "" || len(warnings) != tc.warnings {
			t.Errorf("%q: %s, warnings %q", tc.in, diff, warnings)
		}
	}
}

// FuzzImageOverrides checks that whatever the value, pairs become images or warnings
// and nothing else.
func FuzzImageOverrides(f *testing.F) {
	for _, s := range []string{"", "=", "a=quay.io/x", "a", "=b", "a=,b=c", "a=b=c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		images, warnings := hcpkg.ImageOverrides(s)
		if n := strings.Count(s, ",") + 1; len(images)+len(warnings) > n {
			t.Fatalf("%q: %d images and %d warnings of %d pairs", s, len(images), len(warnings), n)
		}
		for name, ref := range images {
			if name == "" || ref.IsZero() {
				t.Fatalf("%q: %q is %q", s, name, ref)
			}
		}
	})
}

func TestComponents(t *testing.T) {
	own, other := imageref.MustParse("quay.io/h/cpo:1"), imageref.MustParse("quay.io/h/minter:1")
	override := imageref.MustParse("quay.io/h/socks:2")
	got := hcpkg.OperatorImages{Operator: own, TokenMinter: other, Socks5Proxy: other}.Components(map[string]imageref.Ref{"socks5-proxy": override, "etcd": override})
	want := map[string]imageref.Ref{
		"controlplane-operator": own, "controlplane-pki-operator": own, "hosted-cluster-config-operator": own,
		"availability-prober": own, "token-minter": other, "socks5-proxy": override, "etcd": override,
	}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	for name, ref := range want {
		if got[name] != ref {
			t.Errorf("%s is %s, want %s", name, got[name], ref)
		}
	}
}

func mirror(pull policy.PullBy, source string, mirrors ...string) policy.Rule {
	r := policy.Rule{Source: source, Pull: pull, Origin: "test/" + source}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return r
}

// overrides returns the rules of a --registry-overrides value.
func overrides(t testing.TB, value string) []policy.Rule {
	t.Helper()
	rules, err := handover.ParseRegistryOverrides(value, "--registry-overrides")
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

func mustRules(t testing.TB, rules ...policy.Rule) *policy.Rules {
	t.Helper()
	r, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func envOf(o hcpkg.Overrides, name string) (string, bool) {
	for _, v := range o.Env {
		if v.Name == name {
			return v.Value, true
		}
	}
	return "", false
}

// What HyperShift's binaries read is the merge of both: registry overrides are the
// last mirrors of their sources, once each, and an empty one is nothing.
func TestHandOverMerges(t *testing.T) {
	for _, tc := range []struct {
		name             string
		rules            []policy.Rule
		flag             string
		wantEnv, wantArg string
	}{
		{"nothing", nil, "", "=", "="},
		{"the empty flag", nil, "=", "=", "="},
		{"the empty flag beside a mirror", []policy.Rule{mirror(policy.PullAny, "a.io", "b.io")}, "=", "a.io=b.io", "="},
		{"HyperShift's golden data", nil, "registry=override", "registry=override", "registry=override"},
		{
			"the flag's target is the last mirror", []policy.Rule{mirror(policy.PullDigest, "a.io", "z.io", "b.io"), mirror(policy.PullTag, "a.io", "t.io", "z.io")},
			"a.io=c.io,d.io/x=e.io", "a.io=z.io,a.io=b.io,a.io=t.io,a.io=c.io,d.io/x=e.io", "a.io=c.io,d.io/x=e.io",
		},
		{"and once", []policy.Rule{mirror(policy.PullAny, "a.io", "c.io", "b.io")}, "a.io=c.io", "a.io=c.io,a.io=b.io", "a.io=c.io"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rules := mustRules(t, append(tc.rules, overrides(t, tc.flag)...)...)
			o, err := hcpkg.HandOver(rules)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := envOf(o, handover.ImageOverridesVariable); got != tc.wantEnv {
				t.Errorf("%s is %q, want %q", handover.ImageOverridesVariable, got, tc.wantEnv)
			}
			if o.RegistryOverrides != tc.wantArg {
				t.Errorf("--registry-overrides is %q, want %q", o.RegistryOverrides, tc.wantArg)
			}
			document, _ := envOf(o, handover.Variable)
			decoded, err := handover.Decode("", []byte(document))
			if err != nil {
				t.Fatal(err)
			}
			received, err := policy.NewRules(policy.RulesConfig{}, decoded, policy.Policy{Rules: overrides(t, o.RegistryOverrides)})
			if err != nil || received.Version() != rules.Version() {
				t.Errorf("document and flag make other rules: %v", err)
			}
		})
	}
	if _, err := hcpkg.HandOver(nil); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("no rules yet: %v", err)
	}
}

func TestHandOverTooLarge(t *testing.T) {
	var many []policy.Rule
	for i := range 2500 {
		many = append(many, mirror(policy.PullAny, fmt.Sprintf("registry-%d.example.com/a/b", i), "mirror.example.com/a/b"))
	}
	_, err := hcpkg.HandOver(mustRules(t, many...))
	if _, ok := errors.AsType[*handover.TooLargeError](err); !ok {
		t.Errorf("got %v, want a TooLargeError", err)
	}
	o, err := hcpkg.HandOverMounted(overrides(t, "a.io=b.io"))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := envOf(o, handover.ImageOverridesVariable); got != "=" || o.RegistryOverrides != "a.io=b.io" || !o.Mounted || len(o.Env) != 1 {
		t.Errorf("mounted: %+v", o)
	}
}

func hostedControlPlane(change func(*hyperv1.HostedControlPlane)) *hyperv1.HostedControlPlane {
	hcp := &hyperv1.HostedControlPlane{
		ObjectMeta: metav1.ObjectMeta{Name: "hcp", Namespace: "clusters-hcp", UID: "1234"},
		Spec: hyperv1.HostedControlPlaneSpec{
			ReleaseImage: "quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64",
			Platform:     hyperv1.PlatformSpec{Type: hyperv1.NonePlatform},
		},
	}
	if change != nil {
		change(hcp)
	}
	return hcp
}

// render returns all the objects as YAML documents.
func render(t testing.TB, cfg hcpkg.IgnitionConfig) string {
	t.Helper()
	objects, err := cfg.Objects()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, obj := range objects {
		text, err := yaml.Marshal(obj)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "---\n%s", text)
	}
	return b.String()
}

// What is written is spelt out in testdata.
func TestGolden(t *testing.T) {
	rules := []policy.Rule{
		mirror(policy.PullDigest, "quay.io/openshift-release-dev/ocp-release", "mirror.example.com/ocp/release", "a.example.com/release"),
		mirror(policy.PullTag, "quay.io/openshift-release-dev/ocp-release", "tags.example.com/release"),
	}
	inEnv := func(t *testing.T, flag string) hcpkg.Overrides {
		o, err := hcpkg.HandOver(mustRules(t, append(slices.Clone(rules), overrides(t, flag)...)...))
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	uid := int64(1001)
	for name, cfg := range map[string]hcpkg.IgnitionConfig{
		"plain": {HCP: hostedControlPlane(nil), Overrides: inEnv(t, "")},
		"everything": {
			HCP: hostedControlPlane(func(hcp *hyperv1.HostedControlPlane) {
				hcp.Annotations = map[string]string{hyperv1.RestartDateAnnotation: "2026-01-01", hyperv1.ControlPlanePriorityClass: "important"}
				hcp.Spec.ControllerAvailabilityPolicy = hyperv1.HighlyAvailable
				hcp.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: "user-ca-bundle"}
				hcp.Spec.NodeSelector = map[string]string{"kind": "control-plane"}
				hcp.Spec.Tolerations = []corev1.Toleration{{Key: "mine", Operator: corev1.TolerationOpExists}}
				hcp.Spec.Labels = map[string]string{"team": "a", "app": "never"}
				hcp.Spec.Configuration = &hyperv1.ClusterConfiguration{FeatureGate: &configv1.FeatureGateSpec{
					FeatureGateSelection: configv1.FeatureGateSelection{FeatureSet: configv1.TechPreviewNoUpgrade},
				}}
			}),
			Overrides: inEnv(t, "registry.redhat.io=cache.example.com/redhat"), UID: &uid,
			Env: []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://proxy.example.com:3128"}},
		},
		"mounted": {HCP: hostedControlPlane(nil), Overrides: func() hcpkg.Overrides {
			o, err := hcpkg.HandOverMounted(overrides(t, "registry.redhat.io=cache.example.com/redhat"))
			if err != nil {
				t.Fatal(err)
			}
			return o
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Image = "quay.io/hypershift/cpo:1"
			got := render(t, cfg)
			golden.Compare(t, filepath.Join("testdata", name+".yaml"), got, *update)
		})
	}
}

// OCPBUGS-57626, OCPBUGS-85065: the order in which policies are listed changes no
// byte, and the admin's order of mirrors is kept.
func TestOCPBUGS57626And85065ShuffledPoliciesSameBytes(t *testing.T) {
	rules := overrides(t, "d.io=e.io,b.io=c.io")
	for i := range 20 {
		rules = append(rules, mirror(policy.PullDigest, fmt.Sprintf("r%d.io/x", i), "z.io/x", "m.io/x", "a.io/x"))
	}
	rules = append(rules, mirror(policy.PullDigest, "r1.io/x", "m.io/x", "b.io/x"))
	var want string
	for i := range 100 {
		o, err := hcpkg.HandOver(mustRules(t, rules...))
		if err != nil {
			t.Fatal(err)
		}
		got := render(t, hcpkg.IgnitionConfig{HCP: hostedControlPlane(nil), Overrides: o, Image: "a"})
		if i == 0 {
			want = got
			if !strings.Contains(got, "r1.io/x=z.io/x,r1.io/x=m.io/x,r1.io/x=a.io/x") && !strings.Contains(got, "r1.io/x=z.io/x,r1.io/x=m.io/x,r1.io/x=b.io/x") {
				t.Error("the admin's order is lost")
			}
		}
		if got != want {
			t.Fatalf("other bytes:\n%s", cmp.Diff(want, got))
		}
		rand.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
	}
}

func TestIgnitionHosts(t *testing.T) {
	hcp := hostedControlPlane(func(hcp *hyperv1.HostedControlPlane) {
		hcp.Spec.Services = []hyperv1.ServicePublishingStrategyMapping{
			{Service: hyperv1.OAuthServer, ServicePublishingStrategy: hyperv1.ServicePublishingStrategy{Type: hyperv1.Route, Route: &hyperv1.RoutePublishingStrategy{Hostname: "oauth.example.com"}}},
			{Service: hyperv1.Ignition, ServicePublishingStrategy: hyperv1.ServicePublishingStrategy{Type: hyperv1.Route, Route: &hyperv1.RoutePublishingStrategy{Hostname: "ignition.example.com"}}},
		}
	})
	want := []string{
		"ignition-server", "ignition-server.clusters-hcp", "ignition-server.clusters-hcp.svc",
		"ignition-server.clusters-hcp.svc.cluster.local", "ignition.example.com",
	}
	if diff := cmp.Diff(want, hcpkg.IgnitionHosts(hcp)); diff != "" {
		t.Error(diff)
	}
}

func TestMissing(t *testing.T) {
	release := func(version string, names ...string) *provider.Release {
		d := provider.ReleaseData{Version: version}
		for _, name := range names {
			ref := imageref.MustParse("quay.io/r/" + name + "@sha256:" + strings.Repeat("0", 64))
			d.Components = append(d.Components, provider.Component{Name: name, Image: ref, Canonical: ref})
		}
		r, err := provider.NewRelease(d)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, tc := range []struct {
		name string
		user *provider.Release
		want string
	}{
		{"all there", release("4.15.0-rc.1", "machine-config-operator", "cluster-config-api"), ""},
		{"before 4.15", release("4.14.9", "machine-config-operator", "cluster-config-operator"), ""},
		{"another one", release("4.14.9", "cluster-config-api"), "cluster-config-operator, machine-config-operator"},
		{"none", release("4.17.3"), "cluster-config-api, machine-config-operator"},
		{"no version", release("no version"), "cluster-config-api, machine-config-operator"},
	} {
		if got := strings.Join(hcpkg.Releases{ControlPlane: release("4.17.3"), User: tc.user}.Missing(), ", "); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}
