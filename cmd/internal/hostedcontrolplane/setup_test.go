package hostedcontrolplane

import (
	"context"
	"errors"
	"slices"
	"testing"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// indexed lists as a cache with [secretsIndex] does, and nothing that is not asked for.
type indexed struct {
	client.Reader
	all []hyperv1.HostedControlPlane
}

func (x indexed) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	name, ok := o.FieldSelector.RequiresExactMatch(secretsIndex)
	if !ok || o.Namespace == "" || o.UnsafeDisableDeepCopy == nil || !*o.UnsafeDisableDeepCopy {
		return errors.New("lists more than it needs")
	}
	for i := range x.all {
		if x.all[i].Namespace == o.Namespace && slices.Contains(secrets(&x.all[i]), name) {
			list.(*hyperv1.HostedControlPlaneList).Items = append(list.(*hyperv1.HostedControlPlaneList).Items, x.all[i])
		}
	}
	return nil
}

func TestConcernedIsIndexed(t *testing.T) {
	hcp := func(name, pullSecret string) hyperv1.HostedControlPlane {
		h := hyperv1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{Namespace: "clusters-one", Name: name}}
		h.Spec.PullSecret.Name = pullSecret
		return h
	}
	x := indexed{all: []hyperv1.HostedControlPlane{hcp("a", "pull-secret"), hcp("b", "mine"), hcp("c", "")}}
	if got, want := secrets(&x.all[1]), []string{"pull-secret", "mirrorchain-mirror-credentials", "mirrorchain-management-mirror-credentials", "ignition-server", "ignition-server-ca-cert", "mine"}; !slices.Equal(got, want) {
		t.Errorf("Secrets of b are %q, want %q", got, want)
	}
	if got := secrets(&x.all[0]); len(got) != 5 {
		t.Errorf("Secrets of a are %q", got)
	}
	for secret, want := range map[string]string{
		"clusters-one/pull-secret": "abc", "clusters-one/mirrorchain-mirror-credentials": "abc", "clusters-one/ignition-server": "abc", "clusters-one/ignition-server-ca-cert": "abc",
		"clusters-one/mine": "b", "clusters-one/other": "", "clusters-two/mine": "",
	} {
		namespace, name := secret[:len("clusters-one")], secret[len("clusters-one/"):]
		var got string
		for _, r := range concerned(t.Context(), x, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}) {
			got += r.Name
		}
		if got != want {
			t.Errorf("%s concerns %q, want %q", secret, got, want)
		}
	}
}
