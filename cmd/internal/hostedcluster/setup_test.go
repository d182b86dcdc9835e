package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// indexed lists as a cache with [usesIndex] does, and counts what it hands out.
type indexed struct {
	client.Reader
	by   map[string][]hyperv1.HostedCluster // namespace/name of what they refer to
	gave *int
}

func (x indexed) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	name, ok := o.FieldSelector.RequiresExactMatch(usesIndex)
	if !ok || o.Namespace == "" || o.UnsafeDisableDeepCopy == nil || !*o.UnsafeDisableDeepCopy {
		return errors.New("lists more than it needs")
	}
	items := x.by[o.Namespace+"/"+name]
	*x.gave += len(items)
	list.(*hyperv1.HostedClusterList).Items = items
	return nil
}

// The events of a start, one for each Secret, cost what they bring back, and not a list
// of all HostedClusters each.
func TestUsersAreIndexed(t *testing.T) {
	const clusters = 500
	x := indexed{by: map[string][]hyperv1.HostedCluster{}, gave: new(int)}
	var secrets []string
	for n := range clusters {
		hc := hyperv1.HostedCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: fmt.Sprint(n)}}
		hc.Spec.PullSecret.Name, hc.Spec.SSHKey.Name = fmt.Sprint("pull-", n), "shared"
		hc.Spec.AdditionalTrustBundle = &corev1.LocalObjectReference{Name: "shared"}
		names := uses(&hc)
		if want := []string{fmt.Sprint("pull-", n), "shared"}; !slices.Equal(names, want) {
			t.Fatalf("refers to %q, want %q", names, want)
		}
		for _, name := range names {
			x.by["clusters/"+name] = append(x.by["clusters/"+name], hc)
		}
		secrets = append(secrets, names[0], fmt.Sprint("other-", n))
	}
	woken := 0
	for _, name := range secrets {
		woken += len(users(t.Context(), x, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: name}}))
	}
	if woken != clusters || *x.gave != clusters {
		t.Errorf("%d were woken by %d events, of %d that were listed", woken, len(secrets), *x.gave)
	}
	if n := len(users(t.Context(), x, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters", Name: "shared"}})); n != clusters {
		t.Errorf("a shared bundle woke %d", n)
	}
	if n := len(users(t.Context(), x, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "elsewhere", Name: "shared"}})); n != 0 {
		t.Errorf("one of another namespace woke %d", n)
	}
}

// What says for which HostedCluster it was written is believed in the namespace of that control
// plane alone: a pull secret that was copied from there with its annotations is an input of whoever
// names it, and no tenant has another one's HostedCluster reconciled.
func TestClusterOfIsOfItsNamespace(t *testing.T) {
	for _, tt := range []struct {
		namespace, name, says string
		ok                    bool
	}{
		{"clusters-one", "pull-secret", "clusters/one", true},
		{"clusters-a-b", "pull-secret", "clusters/a.b", true},
		{"", "clusters-one", "clusters/one", true}, // the namespace itself
		{"clusters", "my-pull-secret", "clusters/one", false},
		{"tenant", "x", "clusters/one", false},
		{"", "tenant", "clusters/one", false},
		{"clusters-one", "x", "clusters/two", false},
		{"clusters-one", "x", "one", false},
		{"-", "x", "/", false},
	} {
		obj := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: tt.namespace, Name: tt.name, Annotations: map[string]string{clusterAnnotation: tt.says}}}
		key, err := clusterOf(obj)
		if ok := err == nil; ok != tt.ok || ok && key.String() != tt.says {
			t.Errorf("%s/%s that says %q: %s, %v", tt.namespace, tt.name, tt.says, key, err)
		}
	}
}
