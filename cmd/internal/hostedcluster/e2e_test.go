package hostedcluster

import (
	"context"
	"fmt"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

const idmsCRD = "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml"

// The life of the rules in a control plane: without a kind of policy, with the kind
// installed while the operator runs, with policies that come, change and go. Each
// change is one update of the Deployment, and whatever else happens is none.
func TestPoliciesReachTheControlPlane(t *testing.T) {
	w := newWorld(t)
	stop := w.operate(t, nil)
	hc, direct := w.hostedCluster("one"), w.hostedCluster("direct")
	direct.Spec.Release.Image = strings.Replace(w.image, source, w.mirror.Host()+"/mirror/release", 1) // needs no policy
	w.create(t, w.pullSecret(w.auth(password)), hc, direct)
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "failed to lookup release image: ")
	w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, source)
	t.Run("PR2437 without the kinds of policy", func(t *testing.T) { w.cpo(t, direct, overridesAre("=")) })

	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	first := source + "=" + w.mirror.Host() + "/mirror/release"
	t.Run("OCPBUGS29110 kind and policy come at runtime", func(t *testing.T) {
		w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
		w.create(t, policy)
		w.cpo(t, hc, overridesAre(first))
	})
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "Release image is valid")
	w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionTrue, "Progressing", "")
	w.says(t, hc, hypershift.OverridesHandedOver, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "ReconciliatonSucceeded", "")
	d := w.cpo(t, hc, overridesAre(first))
	if d.Generation != 1 {
		t.Errorf("the new Deployment has generation %d", d.Generation)
	}
	if got := d.Spec.Template.Spec.Containers[0].Image; got != envOf(d, "CONTROL_PLANE_OPERATOR_IMAGE") || got == ownImage {
		t.Errorf("the image is %q, want the release's", got)
	}
	hcp := new(hyperv1.HostedControlPlane)
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "clusters-one", Name: "one"}, hcp); err != nil {
		t.Fatal(err)
	}
	if hcp.Spec.ReleaseImage != w.image || hcp.Spec.PullSecret.Name != "pull-secret" || hcp.Spec.InfraID != hc.Spec.InfraID ||
		hcp.Annotations["hypershift.openshift.io/cluster"] != "clusters/one" {
		t.Errorf("got %+v", hcp)
	}

	if now := w.cpo(t, direct, overridesAre(first)); now.Generation != 2 {
		t.Errorf("after one change the generation is %d", now.Generation)
	}

	before, all := w.versions(t, hc), t
	t.Run("OCPBUGS60185 the mirror goes away", func(t *testing.T) {
		// A mirror that is down changes nothing, nor does an operator that starts meanwhile
		// and therefore knows no release.
		stop()
		w.mirror.Inject(testregistry.Fault{Action: testregistry.Status(404)})
		w.operate(all, nil)
		w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, "404")
		w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "") // it was, for this spec
	})

	// A policy reaches the control plane all the same: it may forbid something.
	change(t, w, policy, func(p *unstructured.Unstructured) {
		p.Object["spec"] = w.idms("", "z.example.com/r", w.mirror.Host()+"/mirror/release").Object["spec"]
	})
	second := source + "=z.example.com/r," + first
	if d = w.cpo(t, hc, overridesAre(second)); d.Generation != 2 {
		t.Errorf("after one change the generation is %d", d.Generation)
	}
	t.Run("OCPBUGS60185 the mirror comes back", func(t *testing.T) {
		w.mirror.ClearFaults()
		change(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Annotations = map[string]string{"example.com/poke": "1"} })
		w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionTrue, "Progressing", "")
		after := w.versions(t, hc)
		for name, version := range before {
			if name != "Deployment" && after[name] != version {
				t.Errorf("%s was written: version %s, then %s", name, version, after[name])
			}
		}
		if after["Deployment"] != d.ResourceVersion {
			t.Error("the Deployment changed when the mirror was back")
		}
	})

	// Removed.
	if err := w.Delete(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	if d = w.cpo(t, hc, overridesAre("=")); d.Generation != 3 {
		t.Errorf("after two changes the generation is %d", d.Generation)
	}
	if now := w.cpo(t, direct, overridesAre("=")); now.Generation != 4 {
		t.Errorf("after three changes the generation is %d", now.Generation)
	}
	policy = w.idms("releases", w.mirror.Host()+"/mirror/release")
	w.create(t, policy)
	if d = w.cpo(t, hc, overridesAre(first)); d.Generation != 4 {
		t.Errorf("after three changes the generation is %d", d.Generation)
	}

	t.Run("OCPBUGS65879 an annotation that is gone", func(t *testing.T) {
		args := func(want string) func(*appsv1.Deployment) error {
			return func(d *appsv1.Deployment) error {
				if got := d.Spec.Template.Spec.Containers[0].Args; got[len(got)-1] != want {
					return fmt.Errorf("args %q, want %q last", got, want)
				}
				return nil
			}
		}
		change(t, w, hc, func(hc *hyperv1.HostedCluster) {
			hc.Annotations = map[string]string{hyperv1.ImageOverridesAnnotation: "cli=x"}
		})
		w.cpo(t, hc, args("--image-overrides=cli=x"))
		change(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Annotations = nil })
		if d = w.cpo(t, hc, args("--image-overrides==")); d.Generation != 6 {
			t.Errorf("after five changes the generation is %d", d.Generation)
		}
	})

	// What others change is put back.
	change(t, w, d, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Env[8].Value = "=" })
	w.cpo(t, hc, overridesAre(first))
}

func TestPullSecret(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"))
	w.operate(t, nil)
	hc := w.hostedCluster("one")
	w.create(t, hc)
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.SecretNotFoundReason, "clusters/my-pull-secret")

	// Each edit is noticed by itself.
	secret := w.pullSecret("{not json")
	w.create(t, secret)
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "pull secret clusters/my-pull-secret: .dockerconfigjson")
	change(t, w, secret, func(s *corev1.Secret) { s.Data[hypershift.PullSecretKey] = []byte(w.auth("wrong")) })
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "401")
	change(t, w, secret, func(s *corev1.Secret) { s.Data[hypershift.PullSecretKey] = []byte(w.auth(password)) })
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	w.cpo(t, hc, func(*appsv1.Deployment) error { return nil })

	// The copy follows, and the Deployment does not change for it.
	d := w.cpo(t, hc, func(*appsv1.Deployment) error { return nil })
	more := w.auth(password)[:len(w.auth(password))-2] + `,"other.example.com":{"auth":"YTpi"}}}`
	change(t, w, secret, func(s *corev1.Secret) { s.Data[hypershift.PullSecretKey] = []byte(more) })
	cluster.Await(t, "the copy", func(ctx context.Context) error {
		s := new(corev1.Secret)
		if err := w.Get(ctx, client.ObjectKey{Namespace: "clusters-one", Name: "pull-secret"}, s); err != nil {
			return err
		}
		if string(s.Data[hypershift.PullSecretKey]) != more || s.Type != corev1.SecretTypeDockerConfigJson {
			return fmt.Errorf("type %s", s.Type)
		}
		return nil
	})
	if now := w.cpo(t, hc, func(*appsv1.Deployment) error { return nil }); now.ResourceVersion != d.ResourceVersion {
		t.Error("a rotated pull secret changed the Deployment")
	}
}

// With the ConfigMap hand-over changes travel in it, and no Deployment changes.
func TestConfigMapHandover(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	policy := w.idms("releases", w.mirror.Host()+"/mirror/release")
	w.create(t, policy)
	w.operate(t, func(o *Options) { o.Handover = HandoverConfigMap })
	hc := w.hostedCluster("one")
	w.create(t, w.pullSecret(w.auth(password)), hc)
	d := w.cpo(t, hc, overridesAre("="))
	version := d.ResourceVersion
	w.says(t, hc, hypershift.OverridesHandedOver, metav1.ConditionTrue, hyperv1.AsExpectedReason, "ConfigMap mirrorchain-overrides")

	change(t, w, policy, func(p *unstructured.Unstructured) {
		p.Object["spec"] = w.idms("", "z.example.com/r", w.mirror.Host()+"/mirror/release").Object["spec"]
	})
	cluster.Await(t, "the document", func(ctx context.Context) error {
		cm := new(corev1.ConfigMap)
		if err := w.Get(ctx, client.ObjectKey{Namespace: "clusters-one", Name: "mirrorchain-overrides"}, cm); err != nil {
			return err
		}
		if !strings.Contains(cm.Data["overrides.json"], "z.example.com/r") {
			return fmt.Errorf("it is %s", cm.Data["overrides.json"])
		}
		return nil
	})
	if d = w.cpo(t, hc, overridesAre("=")); d.ResourceVersion != version || d.Generation != 1 {
		t.Errorf("the Deployment was %s and is %s, generation %d", version, d.ResourceVersion, d.Generation)
	}
}

// A paused cluster is left alone, but for its control plane being told.
func TestPaused(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"))
	w.operate(t, nil)
	hc := w.hostedCluster("one")
	w.create(t, w.pullSecret(w.auth(password)), hc)
	w.cpo(t, hc, func(*appsv1.Deployment) error { return nil })

	change(t, w, hc, func(hc *hyperv1.HostedCluster) {
		hc.Spec.PausedUntil = new("true")
		hc.Annotations = map[string]string{hyperv1.ImageOverridesAnnotation: "cli=x"}
	})
	w.says(t, hc, hyperv1.ReconciliationActive, metav1.ConditionFalse, hyperv1.ReconciliationPausedConditionReason, "until field removed")
	hcp := new(hyperv1.HostedControlPlane)
	if err := w.Get(t.Context(), client.ObjectKey{Namespace: "clusters-one", Name: "one"}, hcp); err != nil {
		t.Fatal(err)
	}
	if hcp.Spec.PausedUntil == nil || *hcp.Spec.PausedUntil != "true" || hcp.Annotations[hyperv1.ImageOverridesAnnotation] != "" {
		t.Errorf("got %v, annotations %v", hcp.Spec.PausedUntil, hcp.Annotations)
	}
	if d := w.cpo(t, hc, func(*appsv1.Deployment) error { return nil }); d.Generation != 1 {
		t.Error("the Deployment of a paused cluster was written")
	}
	change(t, w, hc, func(hc *hyperv1.HostedCluster) { hc.Spec.PausedUntil = nil })
	w.cpo(t, hc, func(d *appsv1.Deployment) error {
		if d.Generation == 1 {
			return fmt.Errorf("not written yet")
		}
		return nil
	})
	if err := w.Get(t.Context(), client.ObjectKeyFromObject(hcp), hcp); err != nil || hcp.Spec.PausedUntil != nil {
		t.Errorf("still paused: %v, %v", hcp.Spec.PausedUntil, err)
	}
}
