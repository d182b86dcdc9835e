package hypershift

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Annotations that name credentials for mirrors of the management cluster.
const (
	// AnnotationMirrorCredentials of a HostedCluster names a Secret in its namespace. A
	// HostedControlPlane has it where there is the copy [MirrorCredentials].
	AnnotationMirrorCredentials = "mirrorchain.dev/mirror-credentials"
	// AnnotationManagementMirrorCredentials is on a HostedControlPlane where there is the copy
	// [ManagementMirrorCredentials].
	AnnotationManagementMirrorCredentials = "mirrorchain.dev/management-mirror-credentials"
)

// Secrets of a control plane namespace with credentials for mirrors of the management
// cluster: those of the HostedCluster, and those of the hypershift-operator. They are for
// lookups here, and never for nodes.
const (
	MirrorCredentials           = "mirrorchain-mirror-credentials"
	ManagementMirrorCredentials = "mirrorchain-management-mirror-credentials"
)

// ErrMirrorCredentials says that a Secret cannot be used for mirrors. Its text holds nothing of
// the content.
var ErrMirrorCredentials = errors.New("credentials for mirrors cannot be used")

// ReadMirrorCredentials reads a Secret with credentials for mirrors. It fails with a [*ReadError],
// or with an [ErrMirrorCredentials] that says what is wrong.
func ReadMirrorCredentials(ctx context.Context, c client.Reader, key client.ObjectKey) (provider.Credentials, error) {
	fail := func(format string, args ...any) (provider.Credentials, error) {
		return provider.Credentials{}, fmt.Errorf("%w: Secret %s: "+format, append([]any{ErrMirrorCredentials, key}, args...)...)
	}
	secret := new(corev1.Secret)
	switch err := c.Get(ctx, key, secret); {
	case apierrors.IsNotFound(err):
		return fail("it does not exist; create it")
	case err != nil:
		return provider.Credentials{}, &ReadError{"Secret " + key.String(), err}
	case secret.Type != corev1.SecretTypeDockerConfigJson:
		return fail("its type is %s; make it one of type %s", secret.Type, corev1.SecretTypeDockerConfigJson)
	}
	credentials, err := provider.ParseCredentials(secret.Data[PullSecretKey])
	if err != nil {
		return fail("%s: %w", PullSecretKey, err)
	}
	return credentials, nil
}

// CopiedMirrorCredentials reads the copies in a control plane namespace. One that is not there
// has no entries.
func CopiedMirrorCredentials(ctx context.Context, c client.Reader, namespace string) (m provider.MirrorCredentials, err error) {
	for name, to := range map[string]*provider.Credentials{MirrorCredentials: &m.Own, ManagementMirrorCredentials: &m.Shared} {
		secret := new(corev1.Secret)
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, secret)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return m, &ReadError{"Secret " + name, err}
		}
		if *to, err = provider.ParseCredentials(secret.Data[PullSecretKey]); err != nil {
			return m, fmt.Errorf("%w: Secret %s: %s: %w", ErrMirrorCredentials, name, PullSecretKey, err)
		}
	}
	return m, nil
}

// NarrowMirrorCredentials returns, as a .dockerconfigjson, what of c can be used at the mirrors
// that rules name, and no tenant does: for each location the entry that applies, and those
// below it. Hosts that pullSecret has an entry for are left out. It is nil where nothing is left.
func NarrowMirrorCredentials(c, pullSecret provider.Credentials, rules *policy.Rules) ([]byte, error) {
	type entry struct {
		Auth          string `json:"auth,omitempty"`
		IdentityToken string `json:"identitytoken,omitempty"`
		RegistryToken string `json:"registrytoken,omitempty"`
	}
	auths := map[string]entry{}
	add := func(key string, c provider.Credential) {
		e := entry{IdentityToken: c.IdentityToken(), RegistryToken: c.RegistryToken()}
		if user, password, ok := c.Basic(); ok {
			e.Auth = base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
		}
		auths[key] = e
	}
	for s := range rules.Merged() {
		if s.Kind != policy.KindMirror {
			continue
		}
		for _, m := range slices.Concat(s.DigestMirrors, s.TagMirrors) {
			host, _, _ := strings.Cut(m.Location, "/")
			if m.ByTenant || pullSecret.HasHost(host) {
				continue
			}
			if cred, ok := c.ForName(m.Location); ok {
				add(m.Location, cred)
			}
			for key, cred := range c.All() {
				if strings.HasPrefix(key, m.Location+"/") {
					add(key, cred)
				}
			}
		}
	}
	if len(auths) == 0 {
		return nil, nil
	}
	return json.Marshal(map[string]any{"auths": auths})
}
