package hostedcontrolplane

import (
	"context"
	"fmt"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
)

// certificates makes the serving certificate and its authority, and returns for how long
// they are good: 0 where somebody else makes them.
func (r *Reconciler) certificates(ctx context.Context, hcp *hyperv1.HostedControlPlane, now time.Time) (time.Duration, error) {
	if _, ok := hcp.Annotations[hyperv1.DisablePKIReconciliationAnnotation]; ok {
		return 0, nil
	}
	authority, err := r.pair(ctx, hcp, hypershift.IgnitionAuthority)
	if err != nil {
		return 0, err
	}
	serving, err := r.pair(ctx, hcp, hypershift.IgnitionServer)
	if err != nil {
		return 0, err
	}
	made, err := pki.Ensure(pki.Config{
		Authority: "ignition-root-ca", Name: hypershift.IgnitionServer, Hosts: IgnitionHosts(hcp), Day: r.Settings.CertificateDay,
	}, authority, serving, now)
	if err != nil {
		return 0, err
	}
	for name, pair := range map[string]pki.Pair{hypershift.IgnitionAuthority: made.Authority, hypershift.IgnitionServer: made.Serving} {
		if _, err := r.Applier.Apply(ctx, CertificateSecret(hcp, name, pair)); err != nil {
			return 0, err
		}
	}
	return max(made.Renew.Sub(now), time.Second), nil
}

func (r *Reconciler) pair(ctx context.Context, hcp *hyperv1.HostedControlPlane, name string) (pki.Pair, error) {
	var secret corev1.Secret
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: hcp.Namespace, Name: name}, &secret); client.IgnoreNotFound(err) != nil {
		return pki.Pair{}, fmt.Errorf("reading the certificate %s/%s: %w", hcp.Namespace, name, err)
	}
	return pki.FromData(secret.Data), nil
}

// CertificateSecret returns the Secret of hcp that holds pair.
func CertificateSecret(hcp *hyperv1.HostedControlPlane, name string, pair pki.Pair) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: meta(hcp, name),
		Type: corev1.SecretTypeTLS, Data: pair.Data(),
	}
}
