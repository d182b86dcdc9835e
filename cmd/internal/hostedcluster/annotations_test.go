package hostedcluster

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	configv1 "github.com/openshift/api/config/v1"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/provider"
)

// annotation is one of HyperShift's that our operators read, and what it does there: acts
// reports whether it does where the HostedCluster has it.
type annotation struct {
	key, value string
	acts       func(*testing.T, *hyperv1.HostedCluster) bool
}

// annotations are all that are read, by the name of the constant.
var annotations = map[string]annotation{
	"ControlPlaneOperatorImageAnnotation": {hyperv1.ControlPlaneOperatorImageAnnotation, "mirror/cpo:1", func(_ *testing.T, hc *hyperv1.HostedCluster) bool {
		return (&Settings{OperatorImage: "own"}).cpoImage(hc, new(provider.Release)) == "mirror/cpo:1"
	}},
	"ImageOverridesAnnotation": {hyperv1.ImageOverridesAnnotation, "cli=x", func(t *testing.T, hc *hyperv1.HostedCluster) bool {
		return slices.Contains(ownDeployment(t, hc).Spec.Template.Spec.Containers[0].Args, "--image-overrides=cli=x")
	}},
	"RestartDateAnnotation": {hyperv1.RestartDateAnnotation, "today", func(t *testing.T, hc *hyperv1.HostedCluster) bool {
		return ownDeployment(t, hc).Spec.Template.Annotations[hyperv1.RestartDateAnnotation] == "today" &&
			ignitionDeployment(t, hc).Spec.Template.Annotations[hyperv1.RestartDateAnnotation] == "today"
	}},
	"ControlPlanePriorityClass": {hyperv1.ControlPlanePriorityClass, "high", func(t *testing.T, hc *hyperv1.HostedCluster) bool {
		return ownDeployment(t, hc).Spec.Template.Spec.PriorityClassName == "high" && ignitionDeployment(t, hc).Spec.Template.Spec.PriorityClassName == "high"
	}},
	"PodSecurityAdmissionLabelOverrideAnnotation": {hyperv1.PodSecurityAdmissionLabelOverrideAnnotation, "Privileged", func(_ *testing.T, hc *hyperv1.HostedCluster) bool {
		return namespace(hc).Labels["pod-security.kubernetes.io/enforce"] == "privileged"
	}},
	"SkipReleaseImageValidation": {hyperv1.SkipReleaseImageValidation, "", func(_ *testing.T, hc *hyperv1.HostedCluster) bool {
		return checkVersions(hc, DefaultVersions, "3.11.0") == nil
	}},
	"ForceUpgradeToAnnotation": {hyperv1.ForceUpgradeToAnnotation, testCluster().Spec.Release.Image, func(_ *testing.T, hc *hyperv1.HostedCluster) bool {
		status := &hyperv1.ClusterVersionStatus{Desired: configv1.Release{Image: "old", Version: "4.16.0"}}
		return checkUpgrade(hc, status, &metav1.Condition{Type: "Upgradeable", Status: metav1.ConditionFalse}, "4.17.0") == nil
	}},
	"DisableIgnitionServerAnnotation": {hyperv1.DisableIgnitionServerAnnotation, "", func(_ *testing.T, hc *hyperv1.HostedCluster) bool {
		return hostedcontrolplane.Disabled(hostedControlPlane(hc))
	}},
	// What it does, TestOperator/CertificatesOfOthers shows.
	"DisablePKIReconciliationAnnotation": {hyperv1.DisablePKIReconciliationAnnotation, "", func(_ *testing.T, hc *hyperv1.HostedCluster) bool {
		_, ok := hostedControlPlane(hc).Annotations[hyperv1.DisablePKIReconciliationAnnotation]
		return ok
	}},
	// Ours, on pods.
	"ReleaseImageAnnotation": {"", "", func(t *testing.T, hc *hyperv1.HostedCluster) bool {
		return ignitionDeployment(t, hc).Spec.Template.Annotations[hyperv1.ReleaseImageAnnotation] == hc.Spec.Release.Image
	}},
}

func ownDeployment(t *testing.T, hc *hyperv1.HostedCluster) *appsv1.Deployment {
	t.Helper()
	d, err := render(t, nil, func(w *workload) { w.hc = hc })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ignitionDeployment(t *testing.T, hc *hyperv1.HostedCluster) *appsv1.Deployment {
	t.Helper()
	d, err := hostedcontrolplane.IgnitionConfig{HCP: hostedControlPlane(hc), Image: "a"}.Deployment()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// An annotation of a HostedCluster that is read anywhere does something there: what a
// control plane reads reaches it.
func TestAnnotationsAct(t *testing.T) {
	for name, a := range annotations {
		hc := testCluster()
		hc.Annotations = map[string]string{}
		if a.key != "" {
			if a.acts(t, hc) {
				t.Errorf("%s acts where it is not", name)
			}
			hc.Annotations[a.key] = a.value
		}
		if !a.acts(t, hc) {
			t.Errorf("%s does nothing", name)
		}
	}
	read := regexp.MustCompile(`Annotations\[hyperv1\.(\w+)\]`)
	found := map[string]bool{}
	for _, dir := range []string{".", "../hostedcontrolplane", "../hypershift"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range read.FindAllStringSubmatch(string(text), -1) {
				if found[m[1]] = true; annotations[m[1]].acts == nil {
					t.Errorf("%s: what does %s do, and does it reach who reads it?", file, m[1])
				}
			}
		}
	}
	for name := range annotations {
		if !found[name] {
			t.Errorf("nothing reads %s any more", name)
		}
	}
}

// Those that begin with a name of HyperShift's are handed down too, and nothing else is.
func TestHandDown(t *testing.T) {
	from := map[string]string{
		"hypershift.openshift.io/konnectivity-agent-image":                                "a",
		"idpoverrides.hypershift.openshift.io/ldap":                                       "b",
		"resource-request-override.hypershift.openshift.io/kube-apiserver.kube-apiserver": "c",
		"hypershift.openshift.io/force-upgrade-to":                                        "d",
		"example.com/note": "e",
	}
	to := map[string]string{}
	handDown(from, to)
	if len(to) != 3 || to["idpoverrides.hypershift.openshift.io/ldap"] != "b" {
		t.Errorf("handed down are %v", to)
	}
	if slices.Contains(handedDown[:], "") || len(slices.Compact(slices.Sorted(slices.Values(handedDown[:])))) != len(handedDown) {
		t.Error("an annotation is there twice, or has no name")
	}
}
