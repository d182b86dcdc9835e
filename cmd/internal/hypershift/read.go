package hypershift

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/provider"
)

// ReadError says that the API server did not let an object be read that may well be
// there: it is away, or forbids it. That says nothing of the object.
type ReadError struct {
	What string // "the pull secret clusters/one"
	Err  error
}

// Error names the object.
func (e *ReadError) Error() string { return "reading " + e.What + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// ErrNoPullSecret says that there is no pull secret, or nothing in it.
var ErrNoPullSecret = errors.New("pull secret unavailable")

// PullSecretError says that a pull secret cannot be used as it is. It holds nothing of
// its content.
type PullSecretError struct {
	Key client.ObjectKey
	Err error // says what is wrong and what to do; may be an [ErrNoPullSecret]
}

// Error names the Secret.
func (e *PullSecretError) Error() string {
	return fmt.Sprintf("the pull secret %s: %v", e.Key, e.Err)
}

// Unwrap returns the cause.
func (e *PullSecretError) Unwrap() error { return e.Err }

// Credentials reads the pull secret of that name: the Secret, which counts anew at each
// reading, and what it holds. An error is a [*ReadError] or a [*PullSecretError].
func Credentials(ctx context.Context, c client.Reader, key client.ObjectKey) (*corev1.Secret, provider.Credentials, error) {
	var none provider.Credentials
	fail := func(err error) (*corev1.Secret, provider.Credentials, error) {
		return nil, none, &PullSecretError{key, err}
	}
	secret := new(corev1.Secret)
	err := c.Get(ctx, key, secret)
	switch {
	case apierrors.IsNotFound(err):
		return fail(fmt.Errorf("%w: the Secret does not exist; create it", ErrNoPullSecret))
	case err != nil:
		return nil, none, &ReadError{"the pull secret " + key.String(), err}
	case len(secret.Data[PullSecretKey]) == 0:
		return fail(fmt.Errorf("%w: the Secret has nothing under %s; make it one of type %s", ErrNoPullSecret, PullSecretKey, corev1.SecretTypeDockerConfigJson))
	}
	credentials, err := provider.ParseCredentials(secret.Data[PullSecretKey])
	if err != nil {
		return fail(fmt.Errorf("%s: %w", PullSecretKey, err))
	}
	return secret, credentials, nil
}

// CABundle returns the CA bundle in a ConfigMap, in its data or, as the API server keeps
// what is not UTF-8, in its binaryData. Bytes that are no UTF-8 are replaced: no
// certificate in PEM has any. It fails where there is none.
func CABundle(from *corev1.ConfigMap) (string, error) {
	text, ok := from.Data[CABundleKey]
	if !ok {
		text = strings.ToValidUTF8(string(from.BinaryData[CABundleKey]), "\uFFFD")
	}
	if text == "" {
		return "", fmt.Errorf("the ConfigMap %s has nothing under %s", client.ObjectKeyFromObject(from), CABundleKey)
	}
	return text, nil
}

// ReadCABundle reads the CA bundle in the ConfigMap of that name. It fails with a
// [*ReadError], or says what the ConfigMap lacks.
func ReadCABundle(ctx context.Context, c client.Reader, key client.ObjectKey) (string, error) {
	from := new(corev1.ConfigMap)
	err := c.Get(ctx, key, from)
	switch {
	case apierrors.IsNotFound(err):
		return "", fmt.Errorf("the ConfigMap %s does not exist; create it", key)
	case err != nil:
		return "", &ReadError{"the CA bundle " + key.String(), err}
	}
	return CABundle(from)
}
