package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/internal/kubeclient"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Config says which cluster to ask, and how. The zero value is the cluster that kubectl
// would ask. It is the same type as that of package sources/cluster.
type Config = kubeclient.Config

// configGroup is the API group of OpenShift's configuration.
const configGroup = "config.openshift.io"

// Cluster reads from one cluster. It keeps nothing between calls, and is safe for
// concurrent use.
type Cluster struct {
	policies       *kubeclient.Client // ClusterImagePolicy
	ofPods         *kubeclient.Client // ImagePolicy
	signatures     *kubeclient.Client
	clusterVersion *kubeclient.Client
	authorities    *kubeclient.Client
}

// New returns a Cluster. It fails for a kubeconfig that cannot be used, and never because
// the cluster does not answer.
func New(cfg Config) (*Cluster, error) {
	c := new(Cluster)
	for _, of := range []struct {
		into     **kubeclient.Client
		resource kubeclient.Resource
	}{
		{&c.policies, kubeclient.Resource{Group: configGroup, Versions: []string{"v1", "v1alpha1"}, Resource: "clusterimagepolicies"}},
		{&c.ofPods, kubeclient.Resource{Group: configGroup, Versions: []string{"v1", "v1alpha1"}, Resource: "imagepolicies"}},
		{&c.signatures, kubeclient.Resource{Versions: []string{"v1"}, Resource: "configmaps", Namespace: signaturesNamespace, Labels: signaturesLabel}},
		{&c.clusterVersion, kubeclient.Resource{Group: configGroup, Versions: []string{"v1"}, Resource: "clusterversions", Only: "version"}},
		{&c.authorities, kubeclient.Resource{Versions: []string{"v1"}, Resource: "configmaps", Namespace: authoritiesNamespace}},
	} {
		client, err := kubeclient.New(cfg, of.resource)
		if err != nil {
			return nil, err
		}
		*of.into = client
	}
	return c, nil
}

// ImagePolicies returns the ClusterImagePolicies and the ImagePolicies of all namespaces,
// of config.openshift.io/v1, or of v1alpha1 where the cluster has no v1. It needs get and
// list on both kinds. Package sigstore says what they mean.
func (c *Cluster) ImagePolicies(ctx context.Context) ([]sigstore.ImagePolicy, error) {
	var out []sigstore.ImagePolicy
	for _, of := range []struct {
		kind   string
		client *kubeclient.Client
	}{{"ClusterImagePolicy", c.policies}, {"ImagePolicy", c.ofPods}} {
		found, err := list[sigstore.ImagePolicy](ctx, of.client)
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			p.Kind, p.Origin = of.kind, "cluster:"
			out = append(out, p)
		}
	}
	return out, nil
}

// WatchImagePolicies calls changed, one call at a time, whenever ImagePolicies may return something else, and
// when a watch begins. It returns the error that ends a watch, for the caller to wait and
// try again, or ctx.Err(). It needs watch on both kinds, in addition to what
// [Cluster.ImagePolicies] needs.
func (c *Cluster) WatchImagePolicies(ctx context.Context, changed func()) error {
	return kubeclient.WatchAll(ctx, changed, c.policies.Watch, c.ofPods.Watch)
}

// list returns the objects of a kind; nil where the cluster does not have it.
func list[T any](ctx context.Context, c *kubeclient.Client) ([]T, error) {
	var all struct {
		Items []T `json:"items"`
	}
	_, err := c.List(ctx, func(r rest.Result) error {
		data, err := r.Raw()
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &all); err != nil {
			return fmt.Errorf("the answer of the API server cannot be read: %w", err)
		}
		return nil
	})
	return all.Items, err
}
