package hostedcluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/trust"
)

// Where the management cluster says whom it trusts.
const (
	// trustedCA is the ConfigMap in the operator's own namespace.
	trustedCA = "trusted-ca"
	// configNamespace has the ConfigMap that spec.additionalTrustedCA of
	// image.config.openshift.io/cluster names. Each of its keys is a registry.
	configNamespace = "openshift-config"

	// managedCAPoll is how often all is read again. A changed ConfigMap is read at once.
	managedCAPoll = 10 * time.Second
	// maxManagedCA is how many bytes are handed to a control plane: a ConfigMap holds 1 MiB.
	maxManagedCA = 900 << 10
)

// managedCA follows which authorities the management cluster trusts beside the public ones.
// The operator trusts them for every registry, and hands them to control planes in the
// ConfigMap [hypershift.ManagedCABundle]. So does HyperShift (runInit,
// reconcileOpenShiftTrustedCAs), which reads them at its start alone. It is safe for
// concurrent use.
type managedCA struct {
	namespace string // of the operator; "" if it is not known
	log       *zap.Logger
	reread    chan struct{} // holds one wish to read again
	current   atomic.Pointer[managedBundle]
	handed    sync.Map // of client.ObjectKey, a HostedCluster, to handedCA
}

// managedBundle is what the management cluster trusts. It does not change.
type managedBundle struct {
	known   bool         // else nothing could be read so far
	own     trust.Bundle // without the public authorities
	text    string       // what control planes get, "" for nothing
	version string       // of text
}

// handedCA says that a control plane had the bundle when its copy had that resource version.
type handedCA struct {
	bundle  *managedBundle
	version string
}

func newManagedCA(namespace string, log *zap.Logger) *managedCA {
	return &managedCA{namespace: namespace, log: log, reread: make(chan struct{}, 1)}
}

// trusted returns the authorities to trust now.
func (m *managedCA) trusted() trust.Bundle {
	if b := m.current.Load(); b != nil {
		return b.own
	}
	return trust.Bundle{}
}

// notice has all read again where obj, a ConfigMap, may be one of those that are read.
func (m *managedCA) notice(obj client.Object) {
	if obj.GetNamespace() != configNamespace && client.ObjectKeyFromObject(obj) != m.key() {
		return
	}
	select {
	case m.reread <- struct{}{}:
	default: // it is wanted already
	}
}

func (m *managedCA) key() client.ObjectKey {
	return client.ObjectKey{Namespace: m.namespace, Name: trustedCA}
}

// follow reads from live until ctx ends, and calls changed after the first attempt and after
// each change.
func (m *managedCA) follow(ctx context.Context, live client.Reader, changed func()) {
	var reported string
	for {
		was := m.current.Load()
		now, warning := m.next(ctx, live)
		if ctx.Err() != nil {
			return
		}
		if warning != reported && warning != "" {
			m.log.Warn("the authorities of the management cluster are not all in force", zap.String("why", warning))
		}
		reported = warning
		if was == nil || was.known != now.known || was.version != now.version {
			m.current.Store(now)
			changed()
		}
		select {
		case <-ctx.Done():
			return
		case <-m.reread:
		case <-time.After(managedCAPoll):
		}
	}
}

// next reads what is to be in force. What cannot be read, or used, leaves in force what is;
// warning says so.
func (m *managedCA) next(ctx context.Context, live client.Reader) (_ *managedBundle, warning string) {
	own, warnings, err := m.read(ctx, live)
	b := &managedBundle{known: true, own: own}
	if err == nil && len(own.Certificates) > 0 {
		// An image that has its authorities in the folder of the mount has no others then.
		var system trust.Bundle
		system, err = trust.System()
		b.text = string(trust.Bundle{Certificates: slices.Concat(own.Certificates, system.Certificates)}.PEM())
	}
	if err == nil && len(b.text) > maxManagedCA {
		err = fmt.Errorf("they take %d bytes, and a control plane gets %d at most; remove some", len(b.text), maxManagedCA)
	}
	if err != nil {
		if b = m.current.Load(); b == nil {
			b = new(managedBundle)
		}
		return b, err.Error()
	}
	sum := sha256.Sum256([]byte(b.text))
	b.version = hex.EncodeToString(sum[:])
	return b, strings.Join(warnings, "; ")
}

// read reads the authorities. An entry without any certificate that can be used is left
// out, and named in warnings. Where none is left that is an error.
func (m *managedCA) read(ctx context.Context, live client.Reader) (all trust.Bundle, warnings []string, err error) {
	var bad bool
	add := func(from client.ObjectKey, key, text string) {
		b, err := trust.ParseBundle([]byte(text))
		if bad = bad || err != nil; err != nil {
			warnings = append(warnings, fmt.Sprintf("ConfigMap %s, %s: %v", from, key, err))
		} else if w := b.Warning(); w != "" {
			warnings = append(warnings, fmt.Sprintf("ConfigMap %s, %s: %s", from, key, w))
		}
		all.Certificates = append(all.Certificates, b.Certificates...)
	}
	var entries map[string]string
	from := m.key()
	if m.namespace != "" {
		if entries, err = entriesOf(ctx, live, from); err != nil {
			return all, nil, err
		}
	}
	if text, ok := entries[hypershift.CABundleKey]; ok {
		add(from, hypershift.CABundleKey, text)
	} else if len(entries) > 0 { // OpenShift fills in one that is empty
		warnings = append(warnings, fmt.Sprintf("ConfigMap %s has nothing under %s", from, hypershift.CABundleKey))
	}
	if from, err = imageConfigCA(ctx, live); err != nil {
		return all, nil, err
	}
	if from.Name != "" {
		if entries, err = entriesOf(ctx, live, from); err != nil {
			return all, nil, err
		}
		if entries == nil {
			warnings = append(warnings, fmt.Sprintf("ConfigMap %s, which spec.additionalTrustedCA of image.config.openshift.io/cluster names, does not exist; create it", from))
		}
		for _, key := range slices.Sorted(maps.Keys(entries)) {
			add(from, key, entries[key])
		}
	}
	if bad && len(all.Certificates) == 0 {
		return all, nil, errors.New(strings.Join(warnings, "; "))
	}
	return all, warnings, nil
}

// entriesOf returns the entries of a ConfigMap, nil if there is none. Bytes that are no UTF-8
// are replaced: no certificate in PEM has any.
func entriesOf(ctx context.Context, live client.Reader, key client.ObjectKey) (map[string]string, error) {
	cm := new(corev1.ConfigMap)
	if err := live.Get(ctx, key, cm); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, &hypershift.ReadError{What: "ConfigMap " + key.String(), Err: err}
	}
	out := map[string]string{}
	maps.Copy(out, cm.Data)
	for name, data := range cm.BinaryData {
		out[name] = strings.ToValidUTF8(string(data), "\uFFFD")
	}
	return out, nil
}

// imageConfigCA returns the ConfigMap that the cluster's image config names, no name if
// none.
func imageConfigCA(ctx context.Context, live client.Reader) (client.ObjectKey, error) {
	config := new(unstructured.Unstructured)
	config.SetAPIVersion("config.openshift.io/v1")
	config.SetKind("Image")
	err := live.Get(ctx, client.ObjectKey{Name: "cluster"}, config)
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) { // or no OpenShift
		return client.ObjectKey{}, nil
	}
	if err != nil {
		return client.ObjectKey{}, &hypershift.ReadError{What: "image.config.openshift.io/cluster", Err: err}
	}
	name, _, _ := unstructured.NestedString(config.Object, "spec", "additionalTrustedCA", "name")
	return client.ObjectKey{Namespace: configNamespace, Name: name}, nil
}

// handTrust makes the copy of the management cluster's authorities in the control plane
// namespace what it should be, or removes it where there are none. What is not known is left
// as it is. The copy is large, so one that was compared is only read again when its
// resource version has changed.
func (r *Reconciler) handTrust(ctx context.Context, hc *hyperv1.HostedCluster) error {
	b := r.managed.current.Load()
	if !b.known {
		return nil
	}
	if b.text == "" {
		return r.remove(ctx, hc, "ConfigMap", hypershift.ManagedCABundle)
	}
	there := copied(hc, "ConfigMap", hypershift.ManagedCABundle)
	if err := r.Metadata.Get(ctx, client.ObjectKeyFromObject(there), there); client.IgnoreNotFound(err) != nil {
		return err
	}
	has, key := handedCA{b, there.ResourceVersion}, client.ObjectKeyFromObject(hc)
	if was, ok := r.managed.handed.Load(key); ok && was == has {
		return nil
	}
	changed, err := r.applier().Apply(ctx, configMap(hc, hypershift.ManagedCABundle, map[string]string{hypershift.CABundleKey: b.text}))
	if err == nil && !changed { // at this version, or one that is to be noticed yet
		r.managed.handed.Store(key, has)
	}
	return err
}
