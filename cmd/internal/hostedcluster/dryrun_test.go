package hostedcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/writers"
)

// requests are those that are no reads, as they leave a process.
type requests struct {
	mu  sync.Mutex
	all []string
}

func (r *requests) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if req.Method != http.MethodGet {
			r.mu.Lock()
			line := req.Method + " " + req.URL.Path
			if req.URL.Query().Get("dryRun") == "All" || req.Method == http.MethodDelete && bodyHas(req, "All") {
				line += " dry"
			}
			r.all = append(r.all, line)
			r.mu.Unlock()
		}
		return next.RoundTrip(req)
	})
}

func bodyHas(req *http.Request, text string) bool {
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	defer body.Close()
	var data bytes.Buffer
	_, err = data.ReadFrom(body)
	return err == nil && strings.Contains(data.String(), text)
}

// dryRun runs the operator dry, and fails the test where it writes anything.
func (w *world) dryRun(t *testing.T, change func(*Options)) (operator.Judged, []string) {
	t.Helper()
	var sent requests
	var out operator.Judged
	before := w.everything(t)
	o := w.options(t)
	o.REST.Wrap(sent.wrap)
	o.LeaseNamespace = operatorNamespace
	o.DryRun, o.Judged = new(operator.DryRun), func(j operator.Judged) error { out = j; return j.Exit() }
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), cluster.Patience)
	defer cancel()
	err := Run(ctx, o)
	code := 0
	if exit, ok := errors.AsType[*operator.ExitError](err); ok {
		code = exit.Code
	} else if err != nil {
		t.Fatal(err)
	}
	want := 0
	if len(out.Changes) > 0 {
		want = 1
	}
	if len(out.Failed) > 0 {
		want = 2
	}
	if code != want {
		t.Errorf("exit code %d, want %d", code, want)
	}
	for _, r := range sent.all {
		if !strings.HasSuffix(r, " dry") {
			t.Errorf("it sent %s", r)
		}
	}
	if after := w.everything(t); !maps.Equal(before, after) {
		t.Errorf("a dry run wrote\n%v\nand before there was\n%v", after, before)
	}
	return out, sent.all
}

// everything returns the versions of all objects that an operator could write.
func (w *world) everything(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, gvk := range []schema.GroupVersionKind{
		corev1.SchemeGroupVersion.WithKind("Namespace"), corev1.SchemeGroupVersion.WithKind("Secret"),
		corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithKind("ServiceAccount"),
		corev1.SchemeGroupVersion.WithKind("Event"), appsv1.SchemeGroupVersion.WithKind("Deployment"),
		coordinationv1.SchemeGroupVersion.WithKind("Lease"),
		{Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "Role"}, {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "RoleBinding"},
		hyperv1.GroupVersion.WithKind("HostedCluster"), hyperv1.GroupVersion.WithKind("HostedControlPlane"),
	} {
		list := new(metav1.PartialObjectMetadataList)
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		if err := w.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		for _, obj := range list.Items {
			if strings.HasPrefix(obj.Name, "apiserver-") { // the API server's own lease
				continue
			}
			out[gvk.Kind+" "+obj.Namespace+"/"+obj.Name] = obj.ResourceVersion
		}
	}
	return out
}

func findChange(changes []operator.Change, action, kind, name string) *operator.Change {
	i := slices.IndexFunc(changes, func(c operator.Change) bool {
		return c.Action == action && c.Kind == kind && (c.Name == name || c.Namespace+"/"+c.Name == name)
	})
	if i < 0 {
		return nil
	}
	return &changes[i]
}

func findField(c *operator.Change, path string) *operator.Field {
	if c == nil {
		return nil
	}
	i := slices.IndexFunc(c.Fields, func(f operator.Field) bool { return f.Path == path })
	if i < 0 {
		return nil
	}
	return &c.Fields[i]
}

// A dry run says what the operator then does: for a new HostedCluster, for a control plane of
// HyperShift, and for a HostedCluster that is being deleted. After the operator has done it, it
// says that nothing would change.
func TestDryRun(t *testing.T) {
	w := newWorld(t)
	w.Install(t, cluster.OpenShiftCRD(t, idmsCRD))
	fresh, taken := w.hostedCluster("fresh"), w.hostedCluster("taken")
	fresh.Spec.ClusterID = ""
	w.create(t, w.idms("releases", w.mirror.Host()+"/mirror/release"), w.pullSecret(w.auth(password)), w.trustedCA(), fresh, taken)
	w.hypershiftsControlPlane(t, taken)

	judged, sent := w.dryRun(t, func(o *Options) {
		o.PassedOn = []corev1.EnvVar{{Name: "HTTPS_PROXY", Value: "http://proxy:hunter2@proxy.example.com:3128"}}
	})
	if len(judged.Failed) > 0 || len(sent) == 0 {
		t.Errorf("failed: %v; requests: %v", judged.Failed, sent)
	}
	namespace := hypershift.ControlPlaneNamespace(fresh)
	for _, want := range []struct{ kind, name string }{
		{"Namespace", namespace}, {"Secret", namespace + "/pull-secret"}, {"HostedControlPlane", namespace + "/fresh"},
		{"ServiceAccount", namespace + "/control-plane-operator"}, {"Role", namespace + "/control-plane-operator"},
		{"RoleBinding", namespace + "/control-plane-operator"}, {"Deployment", namespace + "/control-plane-operator"},
		{"ConfigMap", namespace + "/" + hypershift.ManagedCABundle},
	} {
		if c := findChange(judged.Changes, "create", want.kind, want.name); c == nil || c.Unchecked != (want.kind != "Namespace") || len(c.Fields) == 0 {
			t.Errorf("%s %s: %+v", want.kind, want.name, c)
		}
	}
	hc := findChange(judged.Changes, "change", "HostedCluster", "clusters/fresh")
	if findField(hc, "spec.clusterID") == nil || findField(hc, "metadata.finalizers") == nil || findField(hc, "status.conditions[Progressing].status") == nil {
		t.Errorf("the HostedCluster: %+v", hc)
	}
	d := findChange(judged.Changes, "change", "Deployment", hypershift.ControlPlaneNamespace(taken)+"/control-plane-operator")
	for _, path := range []string{
		"spec.template.spec.containers[" + writers.Sidecar + "]", "spec.template.spec.volumes[" + writers.Sidecar + "]",
		"spec.template.spec.containers[control-plane-operator].env[OLD]",
	} {
		if f := findField(d, path); f == nil || f.From == nil || f.To != nil {
			t.Errorf("%s is not removed: %+v", path, d)
		}
	}
	for _, format := range []string{"text", "json"} {
		var text bytes.Buffer
		if err := judged.Print(&text, format); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"hunter2", password, w.auth(password)} {
			if strings.Contains(text.String(), secret) {
				t.Errorf("%s has a secret:\n%s", format, text.String())
			}
		}
		if format == "json" && !json.Valid(text.Bytes()) {
			t.Errorf("no JSON:\n%s", text.String())
		}
	}

	stop := w.operate(t, nil)
	for _, hc := range []*hyperv1.HostedCluster{fresh, taken} {
		w.says(t, hc, hyperv1.ReconciliationSucceeded, metav1.ConditionTrue, "", "")
		writers.Peace(t, w, append(controlPlaneObjects(hc), hc)...)
	}
	stop()
	if judged, _ := w.dryRun(t, nil); len(judged.Changes)+len(judged.Failed) > 0 {
		t.Errorf("after it was done it would do %+v", judged)
	}

	// Other settings, a release that is not there, and a deletion.
	if err := w.Delete(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	change(t, w, taken, func(hc *hyperv1.HostedCluster) { hc.Spec.Release.Image = source + ":nothing" })
	judged, _ = w.dryRun(t, nil)
	if findChange(judged.Changes, "delete", "HostedControlPlane", namespace+"/fresh") == nil {
		t.Errorf("a deletion: %+v", judged)
	}
	if len(judged.Failed) != 1 || judged.Failed[0].Name != "HostedCluster clusters/taken" || findField(findChange(judged.Changes, "change", "HostedCluster", "clusters/taken"), "status.conditions[Progressing].reason") == nil {
		t.Errorf("a release that is not there: %+v", judged)
	}
}
