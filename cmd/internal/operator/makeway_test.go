package operator

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

// A Secret that somebody made immutable is made anew. It stays where what is wanted is
// invalid by itself, and where only its label is another.
func TestMakeWay(t *testing.T) {
	api := cluster.Start(t)
	c, err := client.New(api.Config(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	applier := &Applier{Client: c, Owner: "me"}
	secret := func(kind corev1.SecretType, value string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"}, Type: kind, Data: map[string][]byte{"key": []byte(value)},
		}
	}
	theirs := secret(corev1.SecretTypeOpaque, "theirs")
	theirs.Immutable = new(true)
	if err := c.Create(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	now := func() *corev1.Secret {
		s := new(corev1.Secret)
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(theirs), s); err != nil {
			t.Fatal(err)
		}
		return s
	}

	invalid := secret(corev1.SecretTypeTLS, "ours") // without a certificate
	if _, err := applier.Apply(t.Context(), invalid); !apierrors.IsInvalid(err) {
		t.Errorf("a Secret without what its type asks for: %v", err)
	}
	if s := now(); s.UID != theirs.UID || string(s.Data["key"]) != "theirs" {
		t.Errorf("it was deleted for a Secret that is invalid: %v", s.Data)
	}

	same := secret(corev1.SecretTypeOpaque, "theirs")
	same.Labels = map[string]string{"ours": "yes"}
	if changed, err := applier.Apply(t.Context(), same); err != nil || !changed {
		t.Errorf("a label: %t, %v", changed, err)
	}
	if s := now(); s.UID != theirs.UID || s.Labels["ours"] != "yes" {
		t.Errorf("it was made anew for a label: %v", s.Labels)
	}

	if changed, err := applier.Apply(t.Context(), secret(corev1.SecretTypeOpaque, "ours")); err != nil || !changed {
		t.Errorf("other data: %t, %v", changed, err)
	}
	if s := now(); s.UID == theirs.UID || string(s.Data["key"]) != "ours" {
		t.Errorf("it is still what cannot be changed: %s", s.Data)
	}
}
