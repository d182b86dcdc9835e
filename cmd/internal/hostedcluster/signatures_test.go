package hostedcluster

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"go.uber.org/zap/zaptest"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/signing"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

const (
	imagePoliciesCRD        = "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagepolicies.crd.yaml"
	clusterImagePoliciesCRD = "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_clusterimagepolicies.crd.yaml"
)

// imagePolicy asks for a key for the releases of the source.
func imagePolicy(t *testing.T, namespace, scope string, key []byte) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "config.openshift.io/v1", "kind": "ClusterImagePolicy", "metadata": map[string]any{"name": "openshift"},
		"spec": map[string]any{"scopes": []any{scope}, "policy": map[string]any{"rootOfTrust": map[string]any{
			"policyType": "PublicKey", "publicKey": map[string]any{"keyData": base64.StdEncoding.EncodeToString(key)},
		}}},
	}}
	if namespace != "" {
		u.SetKind("ImagePolicy")
		u.SetNamespace(namespace)
	}
	return u
}

// Releases are rolled out once they are signed as the cluster asks, and the condition says
// by whom, or why not. Policies and signatures are followed.
func TestSignatures(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD), cluster.OpenShiftCRD(t, clusterImagePoliciesCRD), cluster.OpenShiftCRD(t, imagePoliciesCRD))
	gpg, key := signing.NewGPG(t, "Our Release Key"), signing.NewSigstore(t)
	keyring := filepath.Join(t.TempDir(), "key.asc")
	if err := os.WriteFile(keyring, gpg.Public(t), 0o600); err != nil {
		t.Fatal(err)
	}
	digest := strings.TrimPrefix(w.image, source+"@")
	policy := imagePolicy(t, "", source, key.Public(t))
	hc := w.hostedCluster("one")
	w.create(t, policy, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "openshift-config-managed"}},
		w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), hc)

	flags := operator.SignatureFlags{Mode: "next", Keyrings: []string{keyring}, Stores: []string{"cluster:"}, Policies: []string{"cluster:"}}
	asked, err := flags.Read(w.account(), zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	stop := w.operate(t, func(o *Options) { o.Signatures = asked })
	refused := func(part string) {
		t.Helper()
		w.says(t, hc, hypershift.ValidReleaseSignature, metav1.ConditionFalse, hypershift.SignatureRefusedReason, part)
	}
	refused("verifying the GPG signature: " + digest + ": no signature found")
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hypershift.SignatureRefusedReason, "no signature found")
	w.says(t, hc, hyperv1.HostedClusterProgressing, metav1.ConditionFalse, hyperv1.BlockedReason, "no signature found")

	w.create(t, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "openshift-config-managed", Name: "sha256", Labels: map[string]string{"release.openshift.io/verification-signatures": ""}},
		BinaryData: map[string][]byte{strings.Replace(digest, ":", "-", 1) + "-1": gpg.Sign(t, digest, source+":4.17.3")},
	})
	refused("verifying the sigstore signature")
	w.mirror.Push("mirror/release", sigstore.Tag(digest), key.Image(t, digest, source+":4.17.3"))
	w.says(t, hc, hypershift.ValidReleaseSignature, metav1.ConditionTrue, hyperv1.AsExpectedReason, "Our Release Key on ")
	w.says(t, hc, hypershift.ValidReleaseSignature, metav1.ConditionTrue, hyperv1.AsExpectedReason, "sigstore signed by cluster: clusterimagepolicy/openshift as "+source+":4.17.3")
	w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
	// The control plane is told to ask for the same; the ConfigMaps of the cluster it cannot read.
	handed := func(with, without []byte) func(*appsv1.Deployment) error {
		return func(d *appsv1.Deployment) error {
			text := envOf(d, operator.EnvSignatures)
			if !strings.Contains(text, `"mode":"next"`) || !strings.Contains(text, base64.StdEncoding.EncodeToString(with)) ||
				without != nil && strings.Contains(text, base64.StdEncoding.EncodeToString(without)) || strings.Contains(text, `"signatures":[`) {
				return fmt.Errorf("it is handed %s", text)
			}
			return nil
		}
	}
	w.cpo(t, hc, handed(key.Public(t), nil))

	// A policy with another key is in force at once: no old verdict answers.
	other := signing.NewSigstore(t)
	setKey := func(of *unstructured.Unstructured, data []byte) {
		t.Helper()
		change(t, w, of, func(u *unstructured.Unstructured) {
			if err := unstructured.SetNestedField(u.Object, base64.StdEncoding.EncodeToString(data), "spec", "policy", "rootOfTrust", "publicKey", "keyData"); err != nil {
				t.Fatal(err)
			}
		})
	}
	setKey(policy, other.Public(t))
	refused("not by the key")
	w.says(t, hc, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "") // it was there
	// A policy that cannot be read leaves the last good one in force, and readiness says so.
	setKey(policy, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: make([]byte, 91)}))
	w.await(t, policy, "the policy to be refused", func() error {
		if err := asked.NotInForce(); err == nil || !strings.Contains(err.Error(), "clusterimagepolicy/openshift: publicKey.keyData") {
			return fmt.Errorf("it is in force, or not for its key: %v", err)
		}
		return nil
	})
	refused("not by the key")
	setKey(policy, key.Public(t))
	w.says(t, hc, hypershift.ValidReleaseSignature, metav1.ConditionTrue, hyperv1.AsExpectedReason, "sigstore signed by")
	w.cpo(t, hc, handed(key.Public(t), other.Public(t)))
	if err := asked.NotInForce(); err != nil {
		t.Error(err)
	}

	// A policy of the control plane's namespace counts for its release, unless the cluster has
	// one for it.
	own := imagePolicy(t, hypershift.ControlPlaneNamespace(hc), source, other.Public(t))
	w.create(t, own)
	w.delete(t, policy)
	refused("imagepolicy/" + hypershift.ControlPlaneNamespace(hc) + "/openshift")
	w.delete(t, own)
	w.says(t, hc, hypershift.ValidReleaseSignature, metav1.ConditionTrue, hyperv1.AsExpectedReason, "gpg signed by")

	stop()
	w.operate(t, nil)
	w.saysNothing(t, hc, hypershift.ValidReleaseSignature)
	w.cpo(t, hc, func(d *appsv1.Deployment) error {
		if text := envOf(d, operator.EnvSignatures); text != "not there" {
			return fmt.Errorf("it is handed %s", text)
		}
		return nil
	})
}
