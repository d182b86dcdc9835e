package hostedcluster

import (
	"fmt"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/deploy"
	"github.com/mirrorchain/mirrorchain/policy"
)

// Who writes what pods are given.
const (
	byAdmin = "the admin of the site (docs/operators.md, Install)"
	byCPO   = hypershift.ControlPlaneOperator
)

// writersOf are all Secrets and ConfigMaps that our Deployments refer to, and who writes
// each. Who is "hypershift-operator" is looked at on a cluster.
var writersOf = map[string]string{
	"operator: ConfigMap trusted-ca, optional":         byAdmin + ", or OpenShift where it has its label",
	"operator: Secret registry-certificates":           byAdmin,
	"operator: Secret status-certificate":              byAdmin + ", or OpenShift for the Service's annotation",
	"control-plane-operator: Secret pull-secret":       Owner,
	"control-plane-operator: ConfigMap user-ca-bundle": Owner,
	"control-plane-operator: ConfigMap " + managedCopy: Owner,
	"control-plane-operator: ConfigMap " + rulesCopy:   Owner,
	"ignition-server: Secret pull-secret":              Owner,
	"ignition-server: ConfigMap user-ca-bundle":        Owner,
	"ignition-server: ConfigMap " + managedCopy:        Owner,
	"ignition-server: ConfigMap " + rulesCopy:          Owner,
	"ignition-server: Secret ignition-server":          byCPO + " (TestOperator/OtherWriters)",
}

const (
	managedCopy = "openshift-config-managed-trusted-ca-bundle, optional"
	rulesCopy   = "mirrorchain-overrides"
)

// ownVariables are the variables of our Deployments that are not there, or say nothing, where
// nobody sets them, and who sets them.
var ownVariables = map[string]string{
	"HTTP_PROXY": byAdmin, "HTTPS_PROXY": byAdmin, "NO_PROXY": byAdmin,
	"HYPERSHIFT_FEATURESET":        byAdmin + ", in the operator's own environment",
	"DEFAULT_SECURITY_CONTEXT_UID": Owner + ", where there are no SecurityContextConstraints",
	"MIRRORCHAIN_OVERRIDES":        Owner + ", with the hand-over by environment",
}

// references returns what a Deployment refers to in its namespace.
func references(d *appsv1.Deployment) (all []string) {
	add := func(kind, name string, optional *bool) {
		text := d.Name + ": " + kind + " " + name
		if optional != nil && *optional {
			text += ", optional"
		}
		all = append(all, text)
	}
	pod := d.Spec.Template.Spec
	for _, ref := range pod.ImagePullSecrets {
		add("Secret", ref.Name, nil)
	}
	for _, v := range pod.Volumes {
		switch {
		case v.ConfigMap != nil:
			add("ConfigMap", v.ConfigMap.Name, v.ConfigMap.Optional)
		case v.Secret != nil:
			add("Secret", v.Secret.SecretName, v.Secret.Optional)
		case v.EmptyDir == nil:
			all = append(all, d.Name+": volume "+v.Name+" of another kind")
		}
	}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		for _, from := range c.EnvFrom {
			all = append(all, fmt.Sprintf("%s: envFrom %v", d.Name, from))
		}
		for _, v := range c.Env {
			if from := v.ValueFrom; from != nil && from.FieldRef == nil {
				all = append(all, fmt.Sprintf("%s: variable %s from %v", d.Name, v.Name, from))
			}
		}
	}
	return all
}

// rendered returns our three Deployments with all that they may have: least is true for those
// without what is optional.
func rendered(t *testing.T, least bool) []*appsv1.Deployment {
	t.Helper()
	folder := "everything"
	if least {
		folder = "operator"
	}
	cpo, err := render(t, nil, func(w *workload) {
		w.Handover = HandoverConfigMap
		if w.hc.Spec.AdditionalTrustBundle = new(corev1.LocalObjectReference{Name: "site-ca"}); least {
			w.Handover, w.hc.Spec.AdditionalTrustBundle, w.SCC = HandoverEnv, nil, true
			return
		}
		w.FeatureSet = "TechPreviewNoUpgrade"
		w.PassedOn = hypershift.ProxyEnv(func(name string) (string, bool) { return "http://proxy.example.com", true })
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := hostedcontrolplane.IgnitionConfig{HCP: hostedControlPlane(testCluster()), Image: "a"}
	none, err := policy.NewRules(policy.RulesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Overrides, err = hostedcontrolplane.HandOver(none); err != nil {
		t.Fatal(err)
	}
	if !least {
		cfg.HCP.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: hypershift.UserCABundle}
		cfg.Env = hypershift.ProxyEnv(func(string) (string, bool) { return "http://proxy.example.com", true })
		if cfg.Overrides, err = hostedcontrolplane.HandOverMounted(nil); err != nil {
			t.Fatal(err)
		}
	}
	ignition, err := cfg.Deployment()
	if err != nil {
		t.Fatal(err)
	}
	return []*appsv1.Deployment{deploy.Deployment(t, deploy.Build(t, folder)), cpo, ignition}
}

// Whatever a pod of ours is given has somebody who writes it, who is named here: a mount that
// nobody writes is as good as none, and nobody sees it.
func TestEverythingGivenIsWritten(t *testing.T) {
	found, variables := map[string]bool{}, map[string]int{}
	for n, all := range [][]*appsv1.Deployment{rendered(t, false), rendered(t, true)} {
		for _, d := range all {
			for _, ref := range references(d) {
				if found[ref] = true; writersOf[ref] == "" {
					t.Errorf("who writes %s?", ref)
				}
			}
			for _, c := range d.Spec.Template.Spec.Containers {
				for _, v := range c.Env {
					if v.Value != "" || v.ValueFrom != nil {
						variables[d.Name+" "+v.Name] |= 1 << n
					}
				}
			}
		}
	}
	for ref := range writersOf {
		if !found[ref] {
			t.Errorf("nothing refers to %s any more", ref)
		}
	}
	optional := map[string]bool{}
	for name, in := range variables {
		if _, variable, _ := strings.Cut(name, " "); in != 3 {
			if optional[variable] = true; ownVariables[variable] == "" {
				t.Errorf("who sets the variable of %s?", name)
			}
		}
	}
	for name := range ownVariables {
		if !optional[name] {
			t.Errorf("the variable %s is not optional any more", name)
		}
	}
}

// HyperShift's NetworkPolicy management-kas stays in a control plane namespace that is taken
// over. It keeps all pods but those with a label from the API server.
func TestPodsMayReachTheAPIServer(t *testing.T) {
	keptAway, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "hypershift.openshift.io/need-management-kas-access", Operator: metav1.LabelSelectorOpDoesNotExist},
		{Key: "name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"aws-ebs-csi-driver-operator"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range rendered(t, true)[1:] { // those in control plane namespaces
		if keptAway.Matches(labels.Set(d.Spec.Template.Labels)) {
			t.Errorf("pods of %s are kept from the API server: their labels are %v", d.Name, d.Spec.Template.Labels)
		}
	}
}

// What the hypershift-operator is said to write is there once a control plane is rolled out.
func TestWrittenByTheOperator(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	hc := w.hostedCluster("one")
	hc.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: "my-ca"}
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), w.trustedCA(), hc,
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: "my-ca"}, Data: w.trustedCA().Data})
	w.operate(t, func(o *Options) { o.Handover = HandoverConfigMap })
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	n := 0
	for ref, by := range writersOf {
		if by != Owner {
			continue
		}
		_, what, _ := strings.Cut(strings.TrimSuffix(ref, ", optional"), ": ")
		kind, name, _ := strings.Cut(what, " ")
		key := client.ObjectKey{Namespace: hypershift.ControlPlaneNamespace(hc), Name: name}
		var obj client.Object = new(corev1.Secret)
		if kind == "ConfigMap" {
			obj = new(corev1.ConfigMap)
		}
		if err := w.Get(t.Context(), key, obj); err != nil {
			t.Errorf("%s: %v", ref, err)
		} else if obj.GetLabels()[managedBy] != Owner {
			t.Errorf("%s was written by somebody else", ref)
		}
		n++
	}
	if n < 4 {
		t.Errorf("%d objects", n)
	}
}
