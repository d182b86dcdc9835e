package hostedcluster

import (
	"strings"
	"testing"

	configv1 "github.com/openshift/api/config/v1"
	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// updates returns a history, the newest first: "4.17.3" was completed, "4.18.0?" was not.
func updates(versions ...string) (out []configv1.UpdateHistory) {
	for _, v := range versions {
		h := configv1.UpdateHistory{State: configv1.CompletedUpdate, Version: strings.TrimSuffix(v, "?")}
		if h.Version != v {
			h.State = configv1.PartialUpdate
		}
		out = append(out, h)
	}
	return out
}

func TestCheckVersions(t *testing.T) {
	skip := map[string]string{hyperv1.SkipReleaseImageValidation: ""}
	for name, c := range map[string]struct {
		versions    []string
		history     []configv1.UpdateHistory
		network     hyperv1.NetworkType // OVNKubernetes if empty
		platform    hyperv1.PlatformType
		annotations map[string]string
		supported   string
		valid       int64  // generation of which ValidReleaseImage is True
		want        string // "" is none
	}{
		"installation":                        {versions: []string{"4.17.3"}},
		"first supported":                     {versions: []string{"4.14.0"}},
		"last supported":                      {versions: []string{"4.22.9-rc.1"}},
		"too old":                             {versions: []string{"4.13.40"}, want: `the minimum version supported for platform None is: "4.14". Attempting to use: "4.13.40"`},
		"too new":                             {versions: []string{"4.23.0-ec.1"}, want: `the latest version supported is: "4.22". Attempting to use: "4.23.0-ec.1"`},
		"another major version":               {versions: []string{"5.0.0"}, want: `the latest version supported is: "4.22". Attempting to use: "5.0.0"`},
		"other range":                         {versions: []string{"4.17.3"}, supported: "4.18-4.19", want: `the minimum version supported for platform None is: "4.18"`},
		"IBM Cloud":                           {versions: []string{"4.11.3"}, platform: hyperv1.IBMCloudPlatform},
		"IBM Cloud, too old":                  {versions: []string{"4.8.3"}, platform: hyperv1.IBMCloudPlatform, network: hyperv1.Calico, want: `the minimum version supported for platform IBMCloud is: "4.9"`},
		"before 4.8":                          {versions: []string{"4.7.9"}, supported: "4.1-4.22", want: `releases before 4.8 are not supported. Attempting to use: "4.7.9"`},
		"upgrade":                             {versions: []string{"4.18.0"}, history: updates("4.17.3")},
		"patch downgrade":                     {versions: []string{"4.17.1"}, history: updates("4.17.3")},
		"downgrade":                           {versions: []string{"4.16.9"}, history: updates("4.17.3", "4.16.9"), want: `y-stream downgrade from "4.17.3" to "4.16.9" is not supported`},
		"stuck upgrade taken back":            {versions: []string{"4.17.3"}, history: updates("4.18.0?", "4.17.3")},
		"downgrade during an installation":    {versions: []string{"4.16.9"}, history: updates("4.17.3?")},
		"downgrade behind a stuck upgrade":    {versions: []string{"4.16.9"}, history: updates("4.18.0?", "4.17.3"), want: `y-stream downgrade from "4.17.3" to "4.16.9"`},
		"no version in the history":           {versions: []string{"4.16.9"}, history: updates("")},
		"downgrade of the control plane":      {versions: []string{"4.17.3", "4.16.9"}, history: updates("4.17.3"), want: `y-stream downgrade from "4.17.3" to "4.16.9"`},
		"downgrade beside the control plane":  {versions: []string{"4.16.9", "4.18.0"}, history: updates("4.17.3"), want: `y-stream downgrade from "4.17.3" to "4.16.9"`},
		"downgrade, skipped":                  {versions: []string{"4.16.9"}, history: updates("4.17.3"), annotations: skip},
		"too new, skipped":                    {versions: []string{"4.99.0"}, annotations: skip},
		"valid already":                       {versions: []string{"4.13.40"}, valid: 7},
		"valid for another generation":        {versions: []string{"4.13.40"}, valid: 6, want: "minimum version"},
		"new OpenShiftSDN":                    {versions: []string{"4.17.3"}, network: hyperv1.OpenShiftSDN, want: `cannot use OpenShiftSDN with OCP version "4.17.3" > 4.10`},
		"new OpenShiftSDN on PowerVS":         {versions: []string{"4.17.3"}, network: hyperv1.OpenShiftSDN, platform: hyperv1.PowerVSPlatform},
		"patch upgrade with OpenShiftSDN":     {versions: []string{"4.14.9"}, network: hyperv1.OpenShiftSDN, history: updates("4.14.1")},
		"minor upgrade with OpenShiftSDN":     {versions: []string{"4.15.0"}, network: hyperv1.OpenShiftSDN, history: updates("4.14.1"), want: `y-stream upgrade from "4.14.1" to "4.15.0" is not for OpenShiftSDN`},
		"new OVNKubernetes on an old version": {versions: []string{"4.10.9"}, platform: hyperv1.IBMCloudPlatform, want: `cannot use OVNKubernetes with OCP version "4.10.9" < 4.11`},
		"no version":                          {versions: []string{"latest"}, want: `the release states no version: "latest"`},
	} {
		t.Run(name, func(t *testing.T) {
			hc := &hyperv1.HostedCluster{ObjectMeta: metav1.ObjectMeta{Generation: 7, Annotations: c.annotations}}
			hc.Spec.Networking.NetworkType, hc.Spec.Platform.Type = hyperv1.OVNKubernetes, hyperv1.NonePlatform
			if c.network != "" {
				hc.Spec.Networking.NetworkType = c.network
			}
			if c.platform != "" {
				hc.Spec.Platform.Type = c.platform
			}
			if c.history != nil {
				hc.Status.Version = &hyperv1.ClusterVersionStatus{History: c.history}
			}
			hc.Status.Conditions = []metav1.Condition{{Type: string(hyperv1.ValidReleaseImage), Status: metav1.ConditionTrue, ObservedGeneration: c.valid}}
			supported := DefaultVersions
			if c.supported != "" {
				var err error
				if supported, err = ParseVersionRange(c.supported); err != nil {
					t.Fatal(err)
				}
			}
			err := checkVersions(hc, supported, c.versions...)
			switch {
			case err == nil && c.want == "":
			case err == nil || c.want == "" || !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v, want %q", err, c.want)
			case !refused(err):
				t.Errorf("%v is no refusal", err)
			}
		})
	}
}

func TestCheckUpgrade(t *testing.T) {
	const image, old = "quay.io/r/r:new", "quay.io/r/r:old"
	for name, c := range map[string]struct {
		from, to    string
		desired     string // old if empty
		upgradeable metav1.ConditionStatus
		force       string
		ownRelease  bool
		want        string
	}{
		"no condition":                   {from: "4.17.3", to: "4.18.0"},
		"upgradeable":                    {from: "4.17.3", to: "4.18.0", upgradeable: metav1.ConditionTrue},
		"not upgradeable":                {from: "4.17.3", to: "4.18.0", upgradeable: metav1.ConditionFalse, want: "ClusterVersionUpgradeable condition is false: cluster version is not upgradeable from 4.17.3 to 4.18.0 (AdminAckRequired: ack it)"},
		"not known":                      {from: "4.17.3", to: "4.18.0", upgradeable: metav1.ConditionUnknown, want: "condition is unknown"},
		"patch":                          {from: "4.17.3", to: "4.17.9", upgradeable: metav1.ConditionFalse},
		"under way":                      {from: "4.17.3", to: "4.18.0", desired: image, upgradeable: metav1.ConditionFalse},
		"forced":                         {from: "4.17.3", to: "4.18.0", upgradeable: metav1.ConditionFalse, force: image},
		"another one forced":             {from: "4.17.3", to: "4.18.0", upgradeable: metav1.ConditionFalse, force: old, want: `names "quay.io/r/r:old", and the release image is quay.io/r/r:new`},
		"own release of a control plane": {from: "4.17.3", to: "4.18.0", upgradeable: metav1.ConditionFalse, ownRelease: true},
		"present version not known":      {to: "4.18.0", upgradeable: metav1.ConditionFalse, want: "the present version is not known"},
	} {
		t.Run(name, func(t *testing.T) {
			hc := new(hyperv1.HostedCluster)
			hc.Spec.Release.Image = image
			if c.ownRelease {
				hc.Spec.Release.Image, hc.Spec.ControlPlaneRelease = old, &hyperv1.Release{Image: image}
			}
			if c.force != "" {
				hc.Annotations = map[string]string{hyperv1.ForceUpgradeToAnnotation: c.force}
			}
			status := &hyperv1.ClusterVersionStatus{Desired: configv1.Release{Image: old, Version: c.from}}
			if c.desired != "" {
				status.Desired.Image = c.desired
			}
			var upgradeable *metav1.Condition
			if c.upgradeable != "" {
				upgradeable = &metav1.Condition{Type: string(hyperv1.ClusterVersionUpgradeable), Status: c.upgradeable, Reason: "AdminAckRequired", Message: "ack it"}
			}
			err := checkUpgrade(hc, status, upgradeable, c.to)
			switch {
			case err == nil && c.want == "":
			case err == nil || c.want == "" || !strings.Contains(err.Error(), c.want):
				t.Errorf("got %v, want %q", err, c.want)
			case !refused(err):
				t.Errorf("%v is no refusal", err)
			}
		})
	}
	if err := checkUpgrade(new(hyperv1.HostedCluster), nil, nil, "4.18.0"); err != nil {
		t.Errorf("an installation is refused: %v", err)
	}
}

func TestParseVersionRange(t *testing.T) {
	for _, s := range []string{"4.14-4.22", "4.17-4.17", "4.19-5.0"} {
		if r, err := ParseVersionRange(s); err != nil || r.String() != s {
			t.Errorf("%q is %s, %v", s, r, err)
		}
	}
	for s, want := range map[string]string{
		"": "no '-'", "4.14": "no '-'", "-": "no version", "4.14-": "no version", "a-b": "no version", "4.22-4.14": "4.22 is after 4.14",
	} {
		if _, err := ParseVersionRange(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", s, err, want)
		}
	}
}

// A release that is refused is not rolled out: the condition tells, the Deployment and the
// HostedControlPlane stay as they are, and rules that come are handed on all the same. An
// upgrade that the control plane does not allow waits until it does.
func TestRefusedVersions(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	push := func(version string) string {
		img := testpayload.Must(testpayload.Release{Version: version, Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages}.Image())
		return source + "@" + w.mirror.Push("mirror/release", version, img)
	}
	older, newer := push("4.16.9"), push("4.18.0")
	hc := w.hostedCluster("one")
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), hc)
	w.operate(t, nil)
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	before := w.versions(t, hc)

	// The control plane is rolled out, and says that nothing newer may follow.
	hcp := &hyperv1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hc.Name}}
	report := func(upgradeable metav1.ConditionStatus) {
		t.Helper()
		w.get(t, hcp)
		old := hcp.DeepCopy()
		hcp.Status.VersionStatus = &hyperv1.ClusterVersionStatus{
			Desired: configv1.Release{Image: w.image, Version: "4.17.3"}, AvailableUpdates: []configv1.Release{},
			History: []configv1.UpdateHistory{{State: configv1.CompletedUpdate, StartedTime: metav1.Now(), CompletionTime: new(metav1.Now()), Version: "4.17.3", Image: w.image}},
		}
		hcp.Status.Conditions = []metav1.Condition{{
			Type: string(hyperv1.ClusterVersionUpgradeable), Status: upgradeable, Reason: "AdminAckRequired", Message: "ack it", LastTransitionTime: metav1.Now(),
		}}
		if err := w.Status().Patch(t.Context(), hcp, client.MergeFrom(old)); err != nil {
			t.Fatal(err)
		}
	}
	report(metav1.ConditionFalse)
	w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.AsExpectedReason, "")
	w.says(t, hc, hyperv1.ClusterVersionUpgradeable, metav1.ConditionFalse, "AdminAckRequired", "ack it")

	release := func(image string) func(*hyperv1.HostedCluster) {
		return func(hc *hyperv1.HostedCluster) { hc.Spec.Release.Image = image }
	}
	change(t, w, hc, release(older))
	const downgrade = `y-stream downgrade from "4.17.3" to "4.16.9" is not supported`
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, downgrade)
	w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, "ValidReleaseImage condition is false: "+downgrade)
	change(t, w, hc, release(newer))
	w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, "cluster version is not upgradeable from 4.17.3 to 4.18.0 (AdminAckRequired: ack it)")
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	after := w.versions(t, hc)
	delete(before, "HostedControlPlane") // whose status was written here
	delete(after, "HostedControlPlane")
	for kind, version := range before {
		if after[kind] != version {
			t.Errorf("%s was written", kind)
		}
	}
	if w.get(t, hcp); hcp.Spec.ReleaseImage != w.image {
		t.Errorf("%s is rolled out", hcp.Spec.ReleaseImage)
	}

	report(metav1.ConditionTrue)
	w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionTrue, "Progressing", "")
	if w.get(t, hcp); hcp.Spec.ReleaseImage != newer {
		t.Errorf("once allowed, %s is rolled out", hcp.Spec.ReleaseImage)
	}
	// Nothing is validated where the annotation says so.
	change(t, w, hc, func(hc *hyperv1.HostedCluster) {
		hc.Annotations = map[string]string{hyperv1.SkipReleaseImageValidation: "true"}
		hc.Spec.Release.Image = older
	})
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
}
