package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// ParseMirrorCredentials reads the value of --management-mirror-credentials.
func ParseMirrorCredentials(s string) (client.ObjectKey, error) {
	if s == "" {
		return client.ObjectKey{}, nil
	}
	namespace, name, ok := strings.Cut(s, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return client.ObjectKey{}, fmt.Errorf("%q: want NAMESPACE/SECRET", s)
	}
	return client.ObjectKey{Namespace: namespace, Name: name}, nil
}

// operatorCredentials follows the Secret with the operator's own credentials for mirrors. It is
// safe for concurrent use.
type operatorCredentials struct {
	key     client.ObjectKey // no name: there are none
	log     *zap.Logger
	reread  chan struct{} // holds one wish to read again
	current atomic.Pointer[provider.Credentials]
}

func newOperatorCredentials(key client.ObjectKey, log *zap.Logger) *operatorCredentials {
	o := &operatorCredentials{key: key, log: log, reread: make(chan struct{}, 1)}
	if key.Name == "" {
		o.current.Store(new(provider.Credentials))
	}
	return o
}

// notice has the Secret read again where obj is that Secret.
func (o *operatorCredentials) notice(obj client.Object) {
	if client.ObjectKeyFromObject(obj) != o.key {
		return
	}
	select {
	case o.reread <- struct{}{}:
	default: // it is wanted already
	}
}

// follow reads from live until ctx ends, and calls changed after the first attempt and after
// each change. What cannot be read or used leaves in force what is.
func (o *operatorCredentials) follow(ctx context.Context, live client.Reader, changed func()) {
	if o.key.Name == "" {
		return
	}
	var reported string
	for {
		was := o.current.Load()
		now, err := hypershift.ReadMirrorCredentials(ctx, live, o.key)
		if ctx.Err() != nil {
			return
		}
		warning := hypershift.UnusedEntries(now)
		if err != nil {
			if warning = err.Error(); was != nil {
				now = *was
			}
		}
		if warning != reported && warning != "" {
			o.log.Warn("the credentials for mirrors (--management-mirror-credentials) are not all in force", zap.String("why", warning))
		}
		reported = warning
		if was == nil || was.ID() != now.ID() {
			o.current.Store(&now)
			var entries []string // what they are for; nothing of it is secret
			for key := range now.All() {
				entries = append(entries, key)
			}
			o.log.Info("credentials for mirrors are used for every HostedCluster whose pull secret has none", zap.Stringer("secret", o.key), zap.Strings("for", entries))
			changed()
		}
		select {
		case <-ctx.Done():
			return
		case <-o.reread:
		case <-time.After(managedCAPoll):
		}
	}
}

// mirrorCredentials returns the credentials for mirrors of hc, and why those that it names are
// not used as they are, "" if they are. An error is about reading.
func (r *Reconciler) mirrorCredentials(ctx context.Context, hc *hyperv1.HostedCluster) (m provider.MirrorCredentials, unused string, err error) {
	m.Shared = *r.operatorSecret.current.Load()
	name, ok := hc.Annotations[hypershift.AnnotationMirrorCredentials]
	if !ok {
		return m, "", nil
	}
	m.Own, err = hypershift.ReadMirrorCredentials(ctx, r.Client, client.ObjectKey{Namespace: hc.Namespace, Name: name})
	if errors.Is(err, hypershift.ErrMirrorCredentials) {
		return m, err.Error(), nil
	}
	return m, hypershift.UnusedEntries(m.Own), err
}

// mirrorCopies returns the Secrets by which the control plane has credentials for the mirrors
// that its rules name: those of hc, and the operator's where a flag says so.
func (r *Reconciler) mirrorCopies(hc *hyperv1.HostedCluster, f found, view *view) (copies []client.Object, err error) {
	for _, one := range []struct {
		name   string
		from   provider.Credentials
		wanted bool
	}{
		{hypershift.MirrorCredentials, f.mirrors.Own, true},
		{hypershift.ManagementMirrorCredentials, f.mirrors.Shared, r.HandOverMirrorCredentials},
	} {
		if one.from.IsZero() || !one.wanted {
			continue
		}
		narrow, err := hypershift.NarrowMirrorCredentials(one.from, f.credentials, view.of)
		if err != nil {
			return nil, err
		}
		if narrow != nil {
			copies = append(copies, &corev1.Secret{
				ObjectMeta: meta(hc, one.name), Type: corev1.SecretTypeDockerConfigJson, Data: map[string][]byte{hypershift.PullSecretKey: narrow},
			})
		}
	}
	return copies, nil
}

// withdrawMirrorCredentials removes copies that nobody wants in the control plane any more. No
// lookup has to go well for it.
func (r *Reconciler) withdrawMirrorCredentials(ctx context.Context, hc *hyperv1.HostedCluster) error {
	var own, shared error
	if _, ok := hc.Annotations[hypershift.AnnotationMirrorCredentials]; !ok {
		own = r.remove(ctx, hc, "Secret", hypershift.MirrorCredentials)
	}
	if !r.HandOverMirrorCredentials {
		shared = r.remove(ctx, hc, "Secret", hypershift.ManagementMirrorCredentials)
	}
	return errors.Join(own, shared)
}

// apart reads registries with the operator's credentials for mirrors apart from the rest: without
// the authorities that a tenant names, who could pretend to be the mirror with one.
type apart struct {
	*registry.Provider
	operator *registry.Provider
}

// Name names what reads, in descriptions.
func (a *apart) Name() string { return "registry" }

func (a *apart) of(req *provider.Request) *registry.Provider {
	if req.CredentialOwner == provider.CredentialOperator {
		return a.operator
	}
	return a.Provider
}

// Lookup, Open, Image, Head and Content are those of the provider that may read.
func (a *apart) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	return a.of(&req).Lookup(ctx, req)
}

// Open reads a manifest.
func (a *apart) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	return a.of(&req).Open(ctx, req, known)
}

// Image reads an image.
func (a *apart) Image(ctx context.Context, req provider.Request) (provider.Image, error) {
	return a.of(&req).Image(ctx, req)
}

// Head asks for a manifest.
func (a *apart) Head(ctx context.Context, req provider.Request) (string, error) {
	return a.of(&req).Head(ctx, req)
}

// Content reads a manifest as it is.
func (a *apart) Content(ctx context.Context, req provider.Request) (provider.Content, error) {
	return a.of(&req).Content(ctx, req)
}
