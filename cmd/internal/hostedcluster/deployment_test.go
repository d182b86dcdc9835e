package hostedcluster

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/golden"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testImage is the image of the control-plane-operators that are rendered.
var testImage = "quay.io/acme/cpo@sha256:" + strings.Repeat("a", 64)

func testCluster() *hyperv1.HostedCluster {
	return &hyperv1.HostedCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: "prod.one"},
		Spec: hyperv1.HostedClusterSpec{
			Release:    hyperv1.Release{Image: "quay.io/openshift-release-dev/ocp-release:4.17.3-x86_64"},
			PullSecret: corev1.LocalObjectReference{Name: "my-pull-secret"},
		},
	}
}

func mirrorRule(origin, source string, mirrors ...string) policy.Rule {
	r := policy.Rule{Source: source, Origin: origin}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return r
}

func testPolicies() []policy.Policy {
	never := mirrorRule("imagedigestmirrorset/releases#1", "quay.io/openshift-release-dev/ocp-release", "mirror.example.com/ocp/release")
	never.NeverContactSource = true
	return []policy.Policy{
		{Rules: []policy.Rule{never}},
		{Rules: []policy.Rule{mirrorRule("imagedigestmirrorset/art#1", "quay.io/openshift-release-dev/ocp-v4.0-art-dev", "z.example.com/art", "a.example.com/art")}},
		{Rules: []policy.Rule{mirrorRule("imagecontentsourcepolicy/art#1", "quay.io/openshift-release-dev/ocp-v4.0-art-dev", "a.example.com/art", "b.example.com/art")}},
		{Rules: []policy.Rule{{
			Kind: policy.KindRewrite, Source: "registry.redhat.io", Pull: policy.PullAny,
			Mirrors: []policy.Mirror{{Location: "cache.example.com/redhat"}}, Origin: "--registry-overrides#1",
		}}},
	}
}

func render(t *testing.T, policies []policy.Policy, change func(*workload)) (*appsv1.Deployment, error) {
	t.Helper()
	rules, err := policy.NewRules(policy.RulesConfig{}, policies...)
	if err != nil {
		t.Fatal(err)
	}
	w := &workload{Settings: Settings{OperatorImage: "quay.io/acme/operator:v1"}, hc: testCluster()}
	if w.rules = encode(rules); w.rules.err != nil {
		t.Fatal(w.rules.err)
	}
	if change != nil {
		change(w)
	}
	read := w.inputs // from the cluster
	w.inputs = w.inputsOf(w.hc, testImage, w.SCC)
	if w.Signatures = read.Signatures; read.Cloud != nil {
		w.Cloud = read.Cloud
	}
	d, err := w.deployment()
	if err != nil {
		return nil, err
	}
	// Of what is there, made anew with what it says of itself, nothing differs.
	defaulted, ok := *w, false
	if defaulted.inputs, ok = inputsIn(d); !ok {
		t.Error("the Deployment does not say what it is made of")
	}
	anew, err := defaulted.deployment()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, anew); diff != "" {
		t.Errorf("made anew (-was +is):\n%s", diff)
	}
	return d, nil
}

func mustRender(t *testing.T, policies []policy.Policy, change func(*workload)) string {
	t.Helper()
	d, err := render(t, policies, change)
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The Deployments as they are written, to the byte.
func TestDeploymentGolden(t *testing.T) {
	for name, c := range map[string]struct {
		policies []policy.Policy
		change   func(*workload)
	}{
		"policies": {testPolicies(), nil},
		"none":     {nil, nil},
		"configmap": {testPolicies(), func(w *workload) {
			w.Handover = HandoverConfigMap
		}},
		"everything": {testPolicies(), func(w *workload) {
			w.SCC, w.EnableCIDebugOutput, w.FeatureSet, w.MetricsSet = true, true, "TechPreviewNoUpgrade", "All"
			w.RefuseNetworks, w.Signatures = "10.128.0.0/14", `{"version":1}`
			w.PassedOn = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://proxy.example.com:3128"}, {Name: "NO_PROXY", Value: ".example.com"}}
			w.hc.Annotations = map[string]string{hyperv1.ImageOverridesAnnotation: "cli=quay.io/acme/cli:1", hyperv1.RestartDateAnnotation: "2026-11-30T00:00:00Z"}
			w.hc.Spec.ControlPlaneRelease = &hyperv1.Release{Image: "quay.io/openshift-release-dev/ocp-release:4.18.1-x86_64"}
			w.hc.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: "my-ca"}
			w.hc.Spec.NodeSelector = map[string]string{"zone": "a"}
			w.hc.Spec.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
			w.hc.Spec.Labels = map[string]string{"team": "a", "name": "not-this"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := mustRender(t, c.policies, c.change)
			golden.Compare(t, filepath.Join("testdata", "deployment-"+name+".yaml"), got, *update)
		})
	}
}

// OCPBUGS-57626, OCPBUGS-85065: the order in which objects are listed changes no
// byte, and the admin's order of mirrors is kept.
func TestOCPBUGS57626ListOrder(t *testing.T) {
	policies := testPolicies()
	want := mustRender(t, policies, nil)
	if art := "quay.io/openshift-release-dev/ocp-v4.0-art-dev="; !strings.Contains(want, art+"z.example.com/art,"+art+"a.example.com/art,"+art+"b.example.com/art") {
		t.Errorf("the order of mirrors is not the admin's:\n%s", want)
	}
	for i := range 100 {
		rand.Shuffle(len(policies), func(i, j int) { policies[i], policies[j] = policies[j], policies[i] })
		if got := mustRender(t, policies, nil); got != want {
			t.Fatalf("shuffle %d changed the Deployment:\n%s", i, cmp.Diff(want, got))
		}
	}
}

// With a ConfigMap no change of the rules changes the Deployment.
func TestConfigMapLeavesDeployment(t *testing.T) {
	mode := func(w *workload) { w.Handover = HandoverConfigMap }
	rewrites := testPolicies()[3:]
	if diff := cmp.Diff(mustRender(t, rewrites, mode), mustRender(t, testPolicies(), mode)); diff != "" {
		t.Errorf("policies show in the Deployment:\n%s", diff)
	}
}

// many returns rules whose variable is larger than bytes.
func many(bytes int) []policy.Policy {
	var p policy.Policy
	for n := 0; bytes > 0; n++ {
		r := mirrorRule("idms/many", fmt.Sprintf("quay.io/some-organisation/repository-%05d", n), fmt.Sprintf("mirror.example.com/some-organisation/repository-%05d", n))
		bytes -= len(r.Source) + len(r.Mirrors[0].Location)
		p.Rules = append(p.Rules, r)
	}
	return []policy.Policy{p}
}

func TestTooLarge(t *testing.T) {
	policies := many(handover.MaxEnv)
	_, err := render(t, policies, nil)
	if _, ok := errors.AsType[*handover.TooLargeError](err); !ok {
		t.Fatalf("got %v, want that it is too large", err)
	}
	c := (&workload{hc: testCluster()}).handedOver(err)
	if c.Status != metav1.ConditionFalse || c.Reason != hypershift.TooLargeReason || !strings.Contains(c.Message, "--override-handover=configmap") {
		t.Errorf("got %+v", c)
	}
	if _, err := render(t, policies, func(w *workload) { w.Handover = HandoverConfigMap }); err != nil {
		t.Errorf("too large for a ConfigMap, too: %v", err)
	}
}

func TestControlPlaneOperatorImage(t *testing.T) {
	hc, s := testCluster(), &Settings{OperatorImage: "own"}
	without, err := provider.NewRelease(provider.ReleaseData{Version: "4.8.0"})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.cpoImage(hc, without); got != "own" {
		t.Errorf("for a release without the component: %q", got)
	}
	s.ControlPlaneOperatorImage = "flag"
	if got := s.cpoImage(hc, without); got != "flag" {
		t.Errorf("with the flag: %q", got)
	}
	hc.Annotations = map[string]string{hyperv1.ControlPlaneOperatorImageAnnotation: "annotation"}
	if got := s.cpoImage(hc, without); got != "annotation" {
		t.Errorf("with the annotation: %q", got)
	}
}

// A restart reaches the control-plane-operator, and by it what that runs. Its Deployment
// changes in nothing else.
func TestRestart(t *testing.T) {
	at := func(when string) func(*workload) {
		return func(w *workload) { w.hc.Annotations = map[string]string{hyperv1.RestartDateAnnotation: when} }
	}
	first, second := mustRender(t, nil, at("monday")), mustRender(t, nil, at("tuesday"))
	if first == second || strings.ReplaceAll(first, "monday", "tuesday") != second {
		t.Errorf("(-first +second):\n%s", cmp.Diff(first, second))
	}
	hc := testCluster()
	hc.Annotations = map[string]string{hyperv1.RestartDateAnnotation: "monday"}
	if got := hostedControlPlane(hc).Annotations[hyperv1.RestartDateAnnotation]; got != "monday" {
		t.Errorf("the control plane is told %q", got)
	}
}

func TestNamespaceName(t *testing.T) {
	if got := hypershift.ControlPlaneNamespace(testCluster()); got != "clusters-prod-one" {
		t.Errorf("got %q", got)
	}
}
