package hostedcontrolplane

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/provider"
)

// PullSecretError says that the pull secret cannot be used as it is. It holds
// nothing of it.
type PullSecretError struct {
	Name types.NamespacedName
	Err  error // what is wrong and what to do
}

func (e *PullSecretError) Error() string {
	return fmt.Sprintf("the pull secret %s: %v", e.Name, e.Err)
}

func (e *PullSecretError) Unwrap() error { return e.Err }

// credentials reads the pull secret anew: a rotated one counts from the next lookup
// on.
func credentials(ctx context.Context, c client.Reader, name types.NamespacedName) (provider.Credentials, error) {
	var secret corev1.Secret
	err := c.Get(ctx, name, &secret)
	switch {
	case apierrors.IsNotFound(err):
		return provider.Credentials{}, &PullSecretError{name, errors.New("it does not exist; create it")}
	case err != nil:
		return provider.Credentials{}, fmt.Errorf("reading the pull secret %s: %w", name, err)
	}
	data, ok := secret.Data[corev1.DockerConfigJsonKey]
	if !ok {
		return provider.Credentials{}, &PullSecretError{name, fmt.Errorf("it has no key %s; make it one of type %s", corev1.DockerConfigJsonKey, corev1.SecretTypeDockerConfigJson)}
	}
	found, err := provider.ParseCredentials(data)
	if err != nil {
		return provider.Credentials{}, &PullSecretError{name, err}
	}
	return found, nil
}
