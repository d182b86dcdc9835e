package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/verify"
)

const (
	signaturesNamespace = "openshift-config-managed"
	// The label of a ConfigMap with signatures, whatever its value.
	signaturesLabel = "release.openshift.io/verification-signatures"
	// authoritiesNamespace has the ConfigMaps that spec.signatureStores names.
	authoritiesNamespace = "openshift-config"
	authoritiesKey       = "ca.crt"
)

// storeTimeout bounds one request to a store that a ClusterVersion names.
const storeTimeout = 10 * time.Second

// Signatures returns a store with what the cluster-version operator would find in the
// cluster: the ConfigMaps of openshift-config-managed with the label
// release.openshift.io/verification-signatures, and after them the stores that
// spec.signatureStores of the ClusterVersion names, if it names any. These are on the
// network. It does not look in the stores that releases name by themselves.
//
// The cluster is asked for each digest. It needs get and list on ConfigMaps in
// openshift-config-managed and on the ClusterVersion "version", and list on ConfigMaps in
// openshift-config, where a store has an authority of its own.
func (c *Cluster) Signatures() verify.Store { return store{c} }

type store struct{ *Cluster }

func (store) Name() string { return "cluster:" }

func (s store) Signatures(ctx context.Context, digest string) iter.Seq2[verify.Signature, error] {
	return func(yield func(verify.Signature, error) bool) {
		objects, err := list[verify.ConfigMap](ctx, s.signatures)
		if err != nil && !yield(verify.Signature{}, err) {
			return
		}
		for i := range objects {
			objects[i].Origin = "cluster:"
		}
		for sig, err := range verify.ConfigMapStore(s.Name(), objects...).Signatures(ctx, digest) {
			if !yield(sig, err) {
				return
			}
		}
		stores, err := s.stores(ctx)
		if err != nil && !yield(verify.Signature{}, err) {
			return
		}
		for _, other := range stores {
			for sig, err := range other.Signatures(ctx, digest) {
				if !yield(sig, err) {
					return
				}
			}
		}
	}
}

// clusterVersion is the part of a ClusterVersion that matters here.
type clusterVersion struct {
	Spec struct {
		SignatureStores *[]signatureStore `json:"signatureStores"`
	} `json:"spec"`
}

type signatureStore struct {
	URL string `json:"url"`
	CA  struct {
		Name string `json:"name"`
	} `json:"ca"`
}

// stores returns what spec.signatureStores names. One that cannot be used is left out, and
// is in the error.
func (s store) stores(ctx context.Context) ([]verify.Store, error) {
	versions, err := list[clusterVersion](ctx, s.clusterVersion)
	if err != nil || len(versions) == 0 || versions[0].Spec.SignatureStores == nil {
		return nil, err
	}
	named := *versions[0].Spec.SignatureStores
	if len(named) == 0 {
		return nil, errors.New("clusterversion/version: spec.signatureStores is an empty list, with which the cluster-version operator finds no signature; remove it, or name a store")
	}
	var out []verify.Store
	var errs []error
	for i, n := range named {
		one, err := s.open(ctx, n)
		if err != nil {
			errs = append(errs, fmt.Errorf("clusterversion/version: spec.signatureStores[%d]: %w", i, err))
			continue
		}
		out = append(out, one)
	}
	return out, errors.Join(errs...)
}

func (s store) open(ctx context.Context, n signatureStore) (verify.Store, error) {
	u, err := url.Parse(n.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("the url is none; want https://HOST/PATH") // it may hold a password
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // it is used for one digest
	if n.CA.Name != "" {
		pool, err := s.authoritiesOf(ctx, n.CA.Name)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return verify.HTTPStore(u, &http.Client{Transport: transport, Timeout: storeTimeout}), nil
}

func (s store) authoritiesOf(ctx context.Context, name string) (*x509.CertPool, error) {
	objects, err := list[verify.ConfigMap](ctx, s.authorities)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if o.Metadata.Name != name {
			continue
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(o.Data[authoritiesKey])) {
			return nil, fmt.Errorf("configmap %s/%s has no certificate in %s", authoritiesNamespace, name, authoritiesKey)
		}
		return pool, nil
	}
	return nil, fmt.Errorf("configmap %s/%s with its authority is not there", authoritiesNamespace, name)
}
