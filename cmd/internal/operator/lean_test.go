package operator

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

// An apply is answered with metadata alone, and is parsed once. What it must not do is
// refused all the same, and a dry run says all.
func TestLeanApply(t *testing.T) {
	api := cluster.Start(t)
	api.Install(t, cluster.HypershiftCRD(t, "hostedcontrolplanes"))
	scheme, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	conn, last := api.Config(), new(exchange)
	conn.Wrap(last.wrap)
	within, err := client.New(conn, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	c := leanClient{within}
	apply := func(u *unstructured.Unstructured, opts ...client.ApplyOption) error {
		return c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(u), append(opts, client.FieldOwner("me"), client.ForceOwnership)...)
	}
	object := func(apiVersion, kind string, more map[string]any) *unstructured.Unstructured {
		more["apiVersion"], more["kind"] = apiVersion, kind
		more["metadata"] = map[string]any{"namespace": "default", "name": "one"}
		return &unstructured.Unstructured{Object: more}
	}
	const size = 10_000
	value := strings.Repeat("x", size)
	config := func() *unstructured.Unstructured {
		return object("v1", "ConfigMap", map[string]any{"data": map[string]any{"key": value}})
	}

	first := config()
	if err := apply(first); err != nil {
		t.Fatal(err)
	}
	if len(last.answer) > size/10 || !strings.Contains(last.query, "fieldValidation=Ignore") {
		t.Errorf("%s was answered with %d bytes", last.query, len(last.answer))
	}
	live := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"}}
	if err := within.Get(t.Context(), client.ObjectKeyFromObject(live), live); err != nil {
		t.Fatal(err)
	}
	if live.Data["key"] != value || live.ResourceVersion != first.GetResourceVersion() {
		t.Errorf("version %s has %d bytes, after an apply that said %s", live.ResourceVersion, len(live.Data["key"]), first.GetResourceVersion())
	}
	if by := live.ManagedFields; len(by) != 1 || by[0].Manager != "me" || by[0].Operation != metav1.ManagedFieldsOperationApply {
		t.Errorf("its fields are managed by %v", by)
	}

	dry := config()
	dry.Object["data"] = map[string]any{"other": "y"}
	if err := apply(dry, client.DryRunAll); err != nil {
		t.Fatal(err)
	}
	if data, _, _ := unstructured.NestedStringMap(dry.Object, "data"); data["other"] != "y" || dry.GetUID() != live.UID {
		t.Errorf("a dry run says %v", dry.Object)
	}

	early := config()
	early.SetResourceVersion(neverVersion)
	if err := apply(early); !apierrors.IsConflict(err) {
		t.Errorf("with a version that is not there: %v", err)
	}
	for name, u := range map[string]*unstructured.Unstructured{
		"ConfigMap":          object("v1", "ConfigMap", map[string]any{"dta": map[string]any{"key": "x"}}),
		"HostedControlPlane": object("hypershift.openshift.io/v1beta1", "HostedControlPlane", map[string]any{"spec": map[string]any{"relaseImage": "x"}}),
	} {
		if err := apply(u); err == nil || !strings.Contains(err.Error(), "field not declared in schema") {
			t.Errorf("a field that %s does not have: %v", name, err)
		}
	}
}

// exchange is the last request to write and its answer.
type exchange struct {
	query  string
	answer []byte
}

func (e *exchange) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err != nil || req.Method != http.MethodPatch {
			return resp, err
		}
		data, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(data))
		e.query, e.answer = req.URL.RawQuery, data
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
