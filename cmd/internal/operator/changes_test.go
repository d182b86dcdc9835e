package operator

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func object(fields map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: fields}
}

// What people read of changes, and what they must not.
func TestPrintChanges(t *testing.T) {
	var d DryRun
	d.objects = map[objectID]*rewritten{}
	id := func(group, kind, namespace, name string) objectID {
		return objectID{schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind}, client.ObjectKey{Namespace: namespace, Name: name}}
	}
	container := func(image, proxy string) map[string]any {
		return map[string]any{"name": "operator", "image": image, "env": []any{map[string]any{"name": "HTTP_PROXY", "value": proxy}}}
	}
	d.note(id("apps", "Deployment", "one", "cpo"),
		object(map[string]any{"spec": map[string]any{"replicas": int64(1), "containers": []any{container("a", ""), map[string]any{"name": "old", "image": "x"}}}}),
		object(map[string]any{"metadata": map[string]any{"resourceVersion": "7", "labels": map[string]any{"a.b/c": "d"}}, "spec": map[string]any{"replicas": int64(1), "containers": []any{container("b", "http://me:hunter2@proxy:3128")}}}), false)
	d.note(id("", "Secret", "one", "pull-secret"), object(map[string]any{"data": map[string]any{"a": "c2VjcmV0", "gone": "c2VjcmV0"}}), object(map[string]any{"data": map[string]any{"a": "bmV3"}}), false)
	d.note(id("", "Secret", "two", "new"), nil, object(map[string]any{"stringData": map[string]any{"key": "hunter2"}, "type": "Opaque"}), true)
	d.note(id("", "ConfigMap", "one", "same"), object(map[string]any{"data": map[string]any{"a": "b"}}), object(map[string]any{"data": map[string]any{"a": "b"}, "metadata": map[string]any{"uid": "x"}}), false)
	d.note(id("", "Namespace", "", "three"), object(map[string]any{}), nil, false)
	d.note(id("", "ConfigMap", "one", "order"),
		object(map[string]any{"list": []any{map[string]any{"name": "a"}, map[string]any{"name": "b"}}}), object(map[string]any{"list": []any{map[string]any{"name": "b"}, map[string]any{"name": "a"}}}), false)
	before := object(map[string]any{"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "False", "lastTransitionTime": "1"}}}})
	d.noteStatus(id("x", "HostedCluster", "clusters", "one"), before,
		object(map[string]any{"status": map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": "True", "lastTransitionTime": "2"}}}}))

	var text bytes.Buffer
	j := Judged{Changes: d.Changes(), Failed: []Failure{{"HostedCluster clusters/two", "no release"}}}
	if err := j.Print(&text, "text"); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"delete Namespace three\n", "change HostedCluster clusters/one\n  ~ status.conditions[Ready].status: \"False\" -> \"True\"\nchange ConfigMap",
		"change ConfigMap one/order\n  ~ list: [\"a\",\"b\"] -> [\"b\",\"a\"]\n",
		"change Deployment one/cpo\n  + metadata.labels[a.b/c]: \"d\"\n  - spec.containers[old]: {\"image\":\"x\",\"name\":\"old\"}\n" +
			"  ~ spec.containers[operator].env[HTTP_PROXY].value: \"\" -> \"http://me:(not shown)@proxy:3128\"\n  ~ spec.containers[operator].image: \"a\" -> \"b\"\n",
		"change Secret one/pull-secret\n  ~ data.a: (not shown)\n  - data.gone: (not shown)\n",
		"create Secret two/new (not checked by the API server: its namespace, or what it names, does not exist yet)\n  + stringData.key: (not shown)\n  + type: \"Opaque\"\n",
		"failed HostedCluster clusters/two: no release\n", "\ndry run: 1 to create, 4 to change, 1 to delete; nothing was written\n",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("there is no\n%s\nin\n%s", line, text.String())
		}
	}
	if strings.Contains(text.String(), "hunter2") || strings.Contains(text.String(), "c2VjcmV0") || strings.Contains(text.String(), "same") {
		t.Errorf("too much is told:\n%s", text.String())
	}
}

// A client that writes in spite of a dry run is kept from it, and a dry run is let through.
func TestRefuseWrites(t *testing.T) {
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = append(seen, r.Method+" "+r.URL.RawQuery) }))
	t.Cleanup(server.Close)
	c, err := rest.HTTPClientFor(RefuseWrites(&rest.Config{Host: server.URL}))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, query, body string
		sent                bool
	}{
		{"GET", "", "", true}, {"POST", "", "{}", false}, {"PUT", "?dryRun=", "{}", false}, {"PATCH", "?dryRun=All&dryRun=x", "{}", false},
		{"PATCH", "?dryRun=All&force=true", "{}", true}, {"DELETE", "?dryRun=All", `{}`, false}, {"DELETE", "", `{"dryRun":["All"]}`, true}, {"DELETE", "", "no options", false},
		{"DELETE", "", "k8s\x00\n\x00\x12\x05*\x03All", true}, {"DELETE", "", "k8s\x00\n\x00\x12\x00", false},
	} {
		seen = nil
		req, err := http.NewRequestWithContext(t.Context(), test.method, server.URL+"/x"+test.query, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err == nil {
			resp.Body.Close()
		}
		if (err == nil) != test.sent || (len(seen) == 1) != test.sent {
			t.Errorf("%+v: %v, and the server saw %v", test, err, seen)
		}
	}
}
