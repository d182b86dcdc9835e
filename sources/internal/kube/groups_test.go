package kube_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube/kubetest"
)

var apiServices = schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"}

// A broken API group stops nobody: neither one that is none of our business, nor
// that of one of our kinds, whose last good policies stay in force while the
// others go on.
func TestBrokenGroups(t *testing.T) {
	c := cluster.Start(t)
	client := c.Dynamic(t)
	for _, path := range []string{
		"operator/v1alpha1/zz_generated.crd-manifests/0000_10_config-operator_01_imagecontentsourcepolicies.crd.yaml",
		"config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagedigestmirrorsets.crd.yaml",
	} {
		c.Install(t, cluster.OpenShiftCRD(t, path))
	}
	broken := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": "v1.broken.example.com"},
		"spec": map[string]any{
			"group": "broken.example.com", "version": "v1", "groupPriorityMinimum": int64(1000), "versionPriority": int64(15),
			"service": nowhere(), "insecureSkipTLSVerify": true,
		},
	}}
	if _, err := client.Resource(apiServices).Create(t.Context(), broken, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}

	operator, config := schema.GroupVersion{Group: "operator.openshift.io", Version: "v1alpha1"}, schema.GroupVersion{Group: "config.openshift.io", Version: "v1"}
	create := func(name, icspMirror, idmsMirror string) {
		t.Helper()
		for _, o := range []struct {
			resource string
			version  schema.GroupVersion
			kind     string
			list     string
			mirror   string
		}{
			{"imagecontentsourcepolicies", operator, "ImageContentSourcePolicy", "repositoryDigestMirrors", icspMirror},
			{"imagedigestmirrorsets", config, "ImageDigestMirrorSet", "imageDigestMirrors", idmsMirror},
		} {
			if o.mirror == "" {
				continue
			}
			object := kubetest.Object(o.version, o.kind, name, map[string]any{
				o.list: []any{map[string]any{"source": "quay.io/acme", "mirrors": []any{o.mirror + "/acme"}}},
			})
			if _, err := client.Resource(o.version.WithResource(o.resource)).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	create("first", "icsp.example.com", "idms.example.com")

	r := follow(t, c)
	await(t, r, "icsp.example.com", "idms.example.com")
	for _, s := range r.Status() {
		if s.Err != nil {
			t.Errorf("%s: %v", s.Name, s.Err)
		}
	}

	// The group of ICSP is handed to a server that does not exist.
	const name = "v1alpha1.operator.openshift.io"
	patch(t, c, name, fmt.Sprintf(`{"metadata":{"labels":{"kube-aggregator.kubernetes.io/automanaged":null}},"spec":{"service":{"namespace":%q,"name":%q,"port":443},"insecureSkipTLSVerify":true}}`,
		nowhere()["namespace"], nowhere()["name"]))
	cluster.Await(t, "the source to fail", func(context.Context) error {
		if r.Status()[0].Err == nil {
			return fmt.Errorf("its status is %+v", r.Status()[0])
		}
		return nil
	})
	create("second", "", "second.example.com")
	await(t, r, "icsp.example.com", "idms.example.com", "second.example.com")
	if err := r.Status()[1].Err; err != nil {
		t.Errorf("the group of IDMS is well, and its source says %v", err)
	}

	// A program that starts now does start, has no rules, and says why.
	late := follow(t, c)
	if late.Current() != nil {
		t.Error("there are rules, though a source has never loaded")
	}
	if status := late.Status(); status[0].Err == nil || !status[1].Loaded {
		t.Errorf("the status is %+v", status)
	}

	patch(t, c, name, `{"metadata":{"labels":{"kube-aggregator.kubernetes.io/automanaged":"true"}},"spec":{"service":null,"insecureSkipTLSVerify":null}}`)
	create("third", "third.example.com", "")
	for _, r := range []*sources.Resolver{r, late} {
		await(t, r, "icsp.example.com", "idms.example.com", "second.example.com", "third.example.com")
	}
}

func nowhere() map[string]any {
	return map[string]any{"namespace": "default", "name": "nowhere", "port": int64(443)}
}

func patch(t *testing.T, c *cluster.Cluster, apiService, merge string) {
	t.Helper()
	_, err := c.Dynamic(t).Resource(apiServices).Patch(t.Context(), apiService, types.MergePatchType, []byte(merge), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// follow resolves ICSP and IDMS until the test ends.
func follow(t *testing.T, c *cluster.Cluster) *sources.Resolver {
	t.Helper()
	var srcs []policy.OverrideSource
	for _, kind := range []kube.Kind{kube.ICSP(), kube.IDMS()} {
		conn := c.Config()
		conn.QPS = 10_000
		kubetest.OnWatch(conn, kubetest.Brief) // a watch that is open already does not notice that its group breaks
		src, err := kube.Factory(kind, kube.Config{REST: conn, AbsentPoll: 20 * time.Millisecond}).Open(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		srcs = append(srcs, src)
	}
	cfg := sources.ResolverConfig{Retry: 10 * time.Millisecond, Poll: 100 * time.Millisecond, LoadTimeout: time.Second}
	r, err := sources.NewResolver(t.Context(), cfg, srcs...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func await(t *testing.T, r *sources.Resolver, mirrors ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), cluster.Patience)
	defer cancel()
	for rules := range r.Changes(ctx) {
		all := true
		for _, m := range mirrors {
			all = all && kubetest.HasMirror(rules, kubetest.Digest(), m)
		}
		if all {
			return
		}
	}
	t.Fatalf("waited in vain for %q; the status is %+v", mirrors, r.Status())
}
