package writers

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

// Mutation is what a webhook does to every object that is written.
type Mutation struct {
	Name   string
	Mutate func(*unstructured.Unstructured)
}

// Mutations returns what webhooks of policy engines, service meshes and image mirrors do.
func Mutations() []Mutation {
	pod := func(change func(pod map[string]any)) func(*unstructured.Unstructured) {
		return func(u *unstructured.Unstructured) {
			if u.GetKind() != "Deployment" {
				return
			}
			if spec, ok, _ := unstructured.NestedFieldNoCopy(u.Object, "spec", "template", "spec"); ok {
				change(spec.(map[string]any))
			}
		}
	}
	container := func(change func(map[string]any)) func(*unstructured.Unstructured) {
		return pod(func(pod map[string]any) {
			list, _ := pod["containers"].([]any)
			for _, c := range list {
				change(c.(map[string]any))
			}
		})
	}
	image := func(change func(string) string) func(*unstructured.Unstructured) {
		return container(func(c map[string]any) { c["image"] = change(c["image"].(string)) })
	}
	return []Mutation{
		{"labels", func(u *unstructured.Unstructured) { setNested(u, "gold", "metadata", "labels", "tier") }},
		{"annotations", func(u *unstructured.Unstructured) { setNested(u, "me", "metadata", "annotations", "created-by") }},
		{"labels of pods", func(u *unstructured.Unstructured) {
			if u.GetKind() == "Deployment" {
				setNested(u, "gold", "spec", "template", "metadata", "labels", "tier")
			}
		}},
		{"env", container(func(c map[string]any) {
			list, _ := c["env"].([]any)
			for _, v := range list {
				if v.(map[string]any)["name"] == "INJECTED" {
					return
				}
			}
			c["env"] = append(list, map[string]any{"name": "INJECTED", "value": "1"})
		})},
		{"tolerations", pod(func(p map[string]any) {
			list, _ := p["tolerations"].([]any)
			for _, v := range list {
				if v.(map[string]any)["key"] == "spot" {
					return
				}
			}
			p["tolerations"] = append(list, map[string]any{"key": "spot", "operator": "Exists"})
		})},
		{"resources", container(func(c map[string]any) {
			c["resources"] = map[string]any{"requests": map[string]any{"cpu": "50m", "memory": "64Mi"}}
		})},
		{"image digests", image(func(s string) string {
			if strings.Contains(s, "@") {
				return s
			}
			return s + "@sha256:" + strings.Repeat("d", 64)
		})},
		{"removed fields", container(func(c map[string]any) {
			delete(c, "securityContext")
			args, _ := c["args"].([]any)
			c["args"] = args[:min(len(args), 4)]
		})},
		{"changed fields and the time", func(u *unstructured.Unstructured) {
			setNested(u, fmt.Sprint(time.Now().UnixNano()), "metadata", "annotations", "changed-at")
			container(func(c map[string]any) { c["imagePullPolicy"] = "Always" })(u)
		}},
		{"registries of images", image(func(s string) string {
			return "proxy.example.com/" + strings.TrimPrefix(s, "proxy.example.com/")
		})},
	}
}

func setNested(u *unstructured.Unstructured, value string, path ...string) {
	_ = unstructured.SetNestedField(u.Object, value, path...) // fails where the path is no map
}

// Webhook has every write of the kinds that operators apply mutated, until the returned
// function is called or the test ends.
func Webhook(t testing.TB, c *cluster.Cluster, m Mutation) (remove func()) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		u := new(unstructured.Unstructured)
		answer := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if json.Unmarshal(review.Request.Object.Raw, &u.Object) == nil && u.Object != nil {
			m.Mutate(u)
			patch := []map[string]any{}
			for _, field := range []string{"metadata", "spec"} {
				if v, ok := u.Object[field]; ok {
					patch = append(patch, map[string]any{"op": "add", "path": "/" + field, "value": v})
				}
			}
			kind := admissionv1.PatchTypeJSONPatch
			answer.Patch, _ = json.Marshal(patch)
			answer.PatchType = &kind
		}
		review.Request, review.Response = nil, answer
		_ = json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(server.Close)
	clients, err := kubernetes.NewForConfig(c.Config())
	if err != nil {
		t.Fatal(err)
	}
	fail, none, all := registrationv1.Fail, registrationv1.SideEffectClassNone, registrationv1.AllScopes
	rule := func(group, version string, resources ...string) registrationv1.RuleWithOperations {
		return registrationv1.RuleWithOperations{
			Operations: []registrationv1.OperationType{registrationv1.Create, registrationv1.Update},
			Rule:       registrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{version}, Resources: resources, Scope: &all},
		}
	}
	hook := &registrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "writers-"},
		Webhooks: []registrationv1.MutatingWebhook{{
			Name: "writers.example.com", FailurePolicy: &fail, SideEffects: &none, AdmissionReviewVersions: []string{"v1"},
			ClientConfig: registrationv1.WebhookClientConfig{
				URL:      new(server.URL),
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []registrationv1.RuleWithOperations{
				rule("", "v1", "serviceaccounts", "services", "secrets", "configmaps"),
				rule("apps", "v1", "deployments"),
				rule("rbac.authorization.k8s.io", "v1", "roles", "rolebindings"),
				rule("hypershift.openshift.io", "v1beta1", "hostedcontrolplanes"),
			},
		}},
	}
	hooks := clients.AdmissionregistrationV1().MutatingWebhookConfigurations()
	made, err := hooks.Create(t.Context(), hook, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := hooks.Delete(t.Context(), made.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}
