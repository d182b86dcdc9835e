package hostedcluster

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/writers"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

const imageCRD = "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_images.crd.yaml"

// trustedCA returns the ConfigMap in which the management cluster trusts the mirror.
func (w *world) trustedCA() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: trustedCA},
		Data:       map[string]string{hypershift.CABundleKey: string(w.mirror.CA().PEM())},
	}
}

func newCA(t testing.TB) string {
	t.Helper()
	ca, err := testregistry.NewCA()
	if err != nil {
		t.Fatal(err)
	}
	return string(ca.PEM())
}

// handedCA waits until the control planes of all clusters have these authorities, beside the
// public ones, and no other.
func (w *world) handedCA(t *testing.T, want []string, clusters ...*hyperv1.HostedCluster) (copies []client.Object) {
	t.Helper()
	system, err := trust.System()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(want, "") + string(system.PEM())
	for _, hc := range clusters {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: hypershift.ControlPlaneNamespace(hc), Name: hypershift.ManagedCABundle}}
		w.await(t, cm, "the authorities of "+hc.Name, func() error {
			if got := cm.Data[hypershift.CABundleKey]; got != all {
				return fmt.Errorf("%d bytes, want %d: %.200q", len(got), len(all), got)
			}
			return nil
		})
		copies = append(copies, cm)
	}
	return copies
}

// An authority that only the management cluster knows reaches the lookups of the operator and
// every control plane. A change is one write each, and what is taken away goes.
func TestManagementClusterCA(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD), cluster.OpenShiftCRD(t, imageCRD))
	core, logged := observer.New(zap.WarnLevel)
	traffic := new(traffic)
	w.operate(t, func(o *Options) {
		o.Registry.RootCAs = x509.NewCertPool()
		o.Log = zap.New(core)
		o.REST.Wrap(traffic.wrap)
	})
	one, two := w.hostedCluster("one"), w.hostedCluster("two")
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), one)
	w.says(t, one, hyperv1.ValidReleaseImage, metav1.ConditionFalse, hyperv1.InvalidImageReason, "unknown authority")

	source, mirror := w.trustedCA(), string(w.mirror.CA().PEM())
	w.create(t, source)
	w.says(t, one, hyperv1.ValidReleaseImage, metav1.ConditionTrue, hyperv1.AsExpectedReason, "")
	w.create(t, two)
	copies := w.handedCA(t, []string{mirror}, one, two)
	writers.Peace(t, w, copies...)

	// What is no certificate is copied nowhere, and named; a rotation is one write each.
	next, key := newCA(t), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}))
	traffic.reset()
	change(t, w, source, func(cm *corev1.ConfigMap) { cm.Data[hypershift.CABundleKey] = mirror + key + next + mirror })
	copies = w.handedCA(t, []string{mirror, next}, one, two)
	writers.Peace(t, w, copies...)
	if n := traffic.counts()["PATCH configmaps"]; n != 2 {
		t.Errorf("%d writes for two control planes", n)
	}
	if all := logged.FilterMessageSnippet("authorities").All(); len(all) != 1 || !strings.Contains(fmt.Sprint(all[0].ContextMap()), "ConfigMap hypershift/trusted-ca, ca-bundle.crt: not trusted: block 2: it is a PRIVATE KEY") {
		t.Errorf("told %v", all)
	}

	// What is not usable at all changes nothing.
	change(t, w, source, func(cm *corev1.ConfigMap) { cm.Data[hypershift.CABundleKey] = "no certificate" })
	cluster.Await(t, "a warning", func(context.Context) error {
		if logged.FilterMessageSnippet("authorities").Len() != 2 {
			return fmt.Errorf("there is none")
		}
		return nil
	})
	if n := writers.Peace(t, w, copies...); n != 0 {
		t.Errorf("%d versions after a bundle that cannot be used", n)
	}

	// What others write into a copy is corrected, and what they add stays.
	change(t, w, copies[0].(*corev1.ConfigMap), func(cm *corev1.ConfigMap) {
		cm.Data[hypershift.CABundleKey], cm.Data["theirs"] = newCA(t), "x"
	})
	copies = w.handedCA(t, []string{mirror, next}, one, two)
	if writers.Peace(t, w, copies...); copies[0].(*corev1.ConfigMap).Data["theirs"] != "x" {
		t.Error("what somebody added is gone")
	}
	w.delete(t, copies[1])
	w.handedCA(t, []string{mirror, next}, one, two)

	// The image config of OpenShift names more, by registry; one that is bad is left out.
	other := newCA(t)
	config := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "config.openshift.io/v1", "kind": "Image", "metadata": map[string]any{"name": "cluster"},
		"spec": map[string]any{"additionalTrustedCA": map[string]any{"name": "registries"}},
	}}
	registries := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: configNamespace, Name: "registries"},
		Data:       map[string]string{"a.example.com": "no certificate", "b.example.com..5000": other, "c.example.com": mirror},
	}
	w.create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: configNamespace}}, registries, config)
	change(t, w, source, func(cm *corev1.ConfigMap) { cm.Data[hypershift.CABundleKey] = mirror })
	w.handedCA(t, []string{mirror, other}, one, two)
	w.delete(t, source)
	w.handedCA(t, []string{other, mirror}, one, two)
	change(t, w, registries, func(cm *corev1.ConfigMap) { delete(cm.Data, "b.example.com..5000") })
	copies = w.handedCA(t, []string{mirror}, one, two)
	w.delete(t, registries)
	for _, obj := range copies {
		w.gone(t, obj)
	}
	if reported := fmt.Sprint(logged.All()); !strings.Contains(reported, "a.example.com: it holds no certificate") || !strings.Contains(reported, "ConfigMap openshift-config/registries, which spec.additionalTrustedCA") {
		t.Errorf("told %s", reported)
	}
}

// Of a control plane that has its authorities nothing is read again with each reconciliation;
// and what cannot be read is left as it is.
func TestManagementClusterCAUnread(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	one := w.hostedCluster("one")
	w.create(t, w.trustedCA(), w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), one)
	var reads atomic.Int32
	stop := w.operate(t, func(o *Options) {
		o.REST.Wrap(seen(func(req *http.Request) error {
			if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/clusters-one/configmaps/"+hypershift.ManagedCABundle) {
				reads.Add(1)
			}
			return nil
		}))
	})
	copies := w.handedCA(t, []string{string(w.mirror.CA().PEM())}, one)
	writers.Peace(t, w, copies...)
	before := reads.Load()
	for n := range 3 {
		change(t, w, one, func(hc *hyperv1.HostedCluster) {
			hc.Annotations = map[string]string{hyperv1.ImageOverridesAnnotation: fmt.Sprintf("cli=x%d", n)}
		})
		w.cpo(t, one, argsHave(fmt.Sprintf("--image-overrides=cli=x%d", n)))
	}
	writers.Peace(t, w, copies...)
	if now := reads.Load(); now != before || before == 0 {
		t.Errorf("%d reads of the copy after three reconciliations, %d before", now, before)
	}
	stop()

	w.operate(t, func(o *Options) {
		o.REST.Wrap(seen(func(req *http.Request) error {
			if strings.HasSuffix(req.URL.Path, "/namespaces/"+operatorNamespace+"/configmaps/"+trustedCA) {
				return errRefused
			}
			return nil
		}))
	})
	w.delete(t, w.trustedCA())
	change(t, w, one, func(hc *hyperv1.HostedCluster) { hc.Annotations = nil })
	w.cpo(t, one, argsHave("--image-overrides=="))
	if n := writers.Peace(t, w, copies...); n != 0 {
		t.Errorf("%d versions while it cannot be known", n)
	}
}

// seen returns a wrapper by which see is told of each request, and refuses those for which it
// returns an error.
func seen(see func(*http.Request) error) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if err := see(req); err != nil {
				return nil, err
			}
			return next.RoundTrip(req)
		})
	}
}

// argsHave returns a check of the arguments of a Deployment.
func argsHave(want string) func(*appsv1.Deployment) error {
	return func(d *appsv1.Deployment) error {
		if args := d.Spec.Template.Spec.Containers[0].Args; !slices.Contains(args, want) {
			return fmt.Errorf("args are %q, want %s", args, want)
		}
		return nil
	}
}
