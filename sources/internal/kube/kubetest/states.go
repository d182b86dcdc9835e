package kubetest

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

// The kind comes and goes while a program runs that never restarts.
func (b *bench) testAbsent(t *testing.T) {
	src := b.open(t, b.cluster.Config())
	p, err := src.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Rules)+len(p.Insecure)+len(p.Blocked) > 0 || !b.saysAbsent(p.Warnings) {
		t.Errorf("without the kind the source says %+v", p)
	}

	f := b.resolve(t, src)
	if f.Current() == nil {
		t.Fatal("there are no rules, though the absence of a kind is an answer")
	}
	f.expect(t)

	b.cluster.Install(t, b.crd)
	b.put(t, b.Object(b.Names[0], one))
	f.await(t, one)
	present := func(s sources.SourceStatus) bool { return good(s) && !b.saysAbsent(s.Warnings) }
	f.awaitStatus(t, "the warning to go", present)

	b.cluster.Uninstall(t, b.crd)
	f.await(t)
	f.awaitStatus(t, "the kind to be reported absent", func(s sources.SourceStatus) bool {
		return good(s) && b.saysAbsent(s.Warnings)
	})

	b.cluster.Install(t, b.crd)
	b.put(t, b.Object(b.Names[0], two))
	f.await(t, two)
	f.awaitStatus(t, "the warning to go again", present)
}

func (b *bench) saysAbsent(warnings []policy.Warning) bool {
	for _, w := range warnings {
		if w.Code == policy.WarnKindAbsent && strings.Contains(w.Message, b.crd.GetName()) {
			return true
		}
	}
	return false
}

// Objects are created, edited and deleted; origins name them.
func (b *bench) testFollow(t *testing.T) {
	b.clear(t)
	src := b.open(t, b.cluster.Config())
	f := b.resolve(t, src)
	f.expect(t)

	first, second := b.Names[0], b.Names[1]
	if second != "" {
		b.put(t, b.Object(second, two))
		f.await(t, two)
	}
	b.put(t, b.Object(first, one))
	if second != "" {
		f.await(t, one, two)
	} else {
		f.await(t, one)
	}

	p, err := src.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := firstOrigin(p), b.Origin(first); got != want {
		t.Errorf("the first origin is %q, want %q", got, want)
	}

	b.put(t, b.Object(first, three))
	b.remove(t, second)
	f.await(t, three)
	b.remove(t, first)
	f.await(t)
}

func firstOrigin(p policy.Policy) string {
	switch {
	case len(p.Rules) > 0:
		return p.Rules[0].Origin
	case len(p.Insecure) > 0:
		return p.Insecure[0].Origin
	}
	return ""
}

// A user may not read, then may, then may not any more.
func (b *bench) testForbidden(t *testing.T) {
	b.clear(t)
	b.put(t, b.Object(b.Names[0], one))
	user := "reader-of-" + b.Resource.Resource
	conn := b.cluster.User(user)
	var refused atomic.Int32 // lists
	conn.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			resp, err := next.RoundTrip(r)
			if err == nil && resp.StatusCode == http.StatusForbidden && !isWatch(r) {
				refused.Add(1)
			}
			return resp, err
		})
	})
	f := b.resolve(t, b.open(t, conn))

	forbidden := func(s sources.SourceStatus) bool {
		return apierrors.IsForbidden(s.Err) && apierrors.IsForbidden(s.WatchErr)
	}
	f.awaitStatus(t, "being forbidden", forbidden)
	if f.Current() != nil {
		t.Error("there are rules, though nobody has read the policies yet")
	}
	if text := f.status().Err.Error(); !strings.Contains(text, b.crd.GetName()) || !strings.Contains(text, user) {
		t.Errorf("the error names neither what is forbidden nor to whom: %s", text)
	}

	revoke := b.allow(t, user)
	f.await(t, one)
	f.awaitStatus(t, "a good status", good)

	// A list that was under way when the role went may still have its answer, so what
	// is last good is known only after one has been refused.
	revoke(t)
	b.put(t, b.Object(b.Names[0], two)) // the open watch sees it still
	f.awaitStatus(t, "being forbidden again", func(s sources.SourceStatus) bool { return apierrors.IsForbidden(s.Err) })
	last := f.said(f.Current())
	if len(last) != 1 {
		t.Errorf("in force is %q, want what was last good", last)
	}
	b.put(t, b.Object(b.Names[0], three))
	before := refused.Load()
	cluster.Await(t, "more lists to be refused", func(context.Context) error {
		if n := refused.Load() - before; n < 3 {
			return fmt.Errorf("%d were", n)
		}
		return nil
	})
	f.expect(t, last...)

	b.allow(t, user)
	f.await(t, three)
	f.awaitStatus(t, "a good status", good)
}

func good(s sources.SourceStatus) bool { return s.Err == nil && s.WatchErr == nil }

// allow gives the user the rights that the documentation names, and no others.
func (b *bench) allow(t *testing.T, user string) (revoke func(*testing.T)) {
	t.Helper()
	group := "rbac.authorization.k8s.io"
	roles := b.cluster.Dynamic(t).Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "clusterroles"})
	bindings := b.cluster.Dynamic(t).Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "clusterrolebindings"})

	rule := map[string]any{
		"apiGroups": []any{b.Resource.Group},
		"resources": []any{b.Resource.Resource},
		"verbs":     []any{"get", "list", "watch"},
	}
	if b.Names[1] == "" {
		rule["resourceNames"] = []any{b.Names[0]}
	}
	rules := []any{rule}
	for _, also := range b.Also {
		rules = append(rules, map[string]any{"apiGroups": []any{also.Group}, "resources": []any{also.Resource}, "verbs": rule["verbs"]})
	}
	role := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1", "kind": "ClusterRole",
		"metadata": map[string]any{"name": user},
		"rules":    rules,
	}}
	binding := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1", "kind": "ClusterRoleBinding",
		"metadata": map[string]any{"name": user},
		"roleRef":  map[string]any{"apiGroup": group, "kind": "ClusterRole", "name": user},
		"subjects": []any{map[string]any{"apiGroup": group, "kind": "User", "name": user}},
	}}
	if _, err := roles.Create(t.Context(), role, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	if _, err := bindings.Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) {
		t.Helper()
		if err := bindings.Delete(t.Context(), user, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		cluster.Await(t, "the role to be taken away", func(ctx context.Context) error {
			_, err := b.open(t, b.cluster.User(user)).Load(ctx)
			if !apierrors.IsForbidden(err) {
				return fmt.Errorf("reading says %v", err)
			}
			return nil
		})
	}
}
