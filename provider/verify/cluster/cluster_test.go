package cluster_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	testcluster "github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/verify/cluster"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

var digest = "sha256:" + strings.Repeat("0a", 32)

func open(t *testing.T, conn *rest.Config) *cluster.Cluster {
	t.Helper()
	c, err := cluster.New(cluster.Config{REST: conn, AbsentPoll: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func create(t *testing.T, client dynamic.Interface, resource string, object map[string]any) {
	t.Helper()
	u := &unstructured.Unstructured{Object: object}
	gvr := u.GroupVersionKind().GroupVersion().WithResource(resource)
	var err error
	if ns := u.GetNamespace(); ns != "" {
		_, err = client.Resource(gvr).Namespace(ns).Create(t.Context(), u, metav1.CreateOptions{})
	} else {
		_, err = client.Resource(gvr).Create(t.Context(), u, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func object(apiVersion, kind, namespace, name string, more map[string]any) map[string]any {
	meta := map[string]any{"name": name}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	out := map[string]any{"apiVersion": apiVersion, "kind": kind, "metadata": meta}
	for k, v := range more {
		out[k] = v
	}
	return out
}

// spec returns that of a policy with Red Hat's key for one scope.
func spec(t *testing.T, scope string) map[string]any {
	t.Helper()
	p, _ := sigstore.OpenShift(21)
	return map[string]any{"spec": map[string]any{
		"scopes": []any{scope},
		"policy": map[string]any{"rootOfTrust": map[string]any{
			"policyType": "PublicKey",
			"publicKey":  map[string]any{"keyData": base64.StdEncoding.EncodeToString(p.Spec.Policy.RootOfTrust.PublicKey.KeyData)},
		}},
	}}
}

const (
	policiesCRD = "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_clusterimagepolicies.crd.yaml"
	ofPodsCRD   = "config/v1/zz_generated.crd-manifests/0000_10_config-operator_01_imagepolicies.crd.yaml"
	versionCRD  = "config/v1/zz_generated.crd-manifests/0000_00_cluster-version-operator_01_clusterversions-CustomNoUpgrade.crd.yaml"
)

// as makes a definition serve one version alone.
func as(t *testing.T, crd *unstructured.Unstructured, version string) *unstructured.Unstructured {
	t.Helper()
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil || len(versions) == 0 {
		t.Fatal(versions, err)
	}
	one := versions[len(versions)-1].(map[string]any)
	one["name"], one["served"], one["storage"] = version, true, true
	if err := unstructured.SetNestedSlice(crd.Object, []any{one}, "spec", "versions"); err != nil {
		t.Fatal(err)
	}
	return crd
}

func names(all []sigstore.ImagePolicy) string {
	var out []string
	for _, p := range all {
		out = append(out, strings.TrimPrefix(p.Metadata.Namespace+"/"+p.Metadata.Name, "/"))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// Policies of both kinds and both versions are read and followed, from before they are
// installed.
func TestImagePolicies(t *testing.T) {
	for _, version := range []string{"v1", "v1alpha1"} {
		t.Run(version, func(t *testing.T) {
			api := testcluster.Start(t)
			c, client := open(t, api.Config()), api.Dynamic(t)
			if all, err := c.ImagePolicies(t.Context()); err != nil || all != nil {
				t.Fatalf("before they are installed: %v, %v", all, err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			changed, ended := make(chan struct{}, 100), make(chan error, 1)
			go func() {
				ended <- c.WatchImagePolicies(ctx, func() {
					select {
					case changed <- struct{}{}:
					default:
					}
				})
			}()
			await := func(want string) {
				t.Helper()
				var last string
				late := time.After(testcluster.Patience)
				for last != want {
					select {
					case <-changed:
					case <-late:
						t.Fatalf("the last change shows %q, want %q", last, want)
					}
					all, err := c.ImagePolicies(t.Context())
					if err != nil {
						continue // discovery is catching up
					}
					last = names(all)
				}
			}
			await("")
			api.Install(t, as(t, testcluster.OpenShiftCRD(t, policiesCRD), version), as(t, testcluster.OpenShiftCRD(t, ofPodsCRD), version))
			create(t, client, "clusterimagepolicies", object("config.openshift.io/"+version, "ClusterImagePolicy", "", "openshift", spec(t, "quay.io/a")))
			await("openshift")
			create(t, client, "imagepolicies", object("config.openshift.io/"+version, "ImagePolicy", "default", "mine", spec(t, "quay.io/b")))
			await("default/mine openshift")
			all, err := c.ImagePolicies(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			p, err := sigstore.NewPolicies(all...)
			if got := p.In("default").Scopes(); err != nil || !slices.Equal(got, []string{"quay.io/a", "quay.io/b"}) || len(p.Scopes()) != 1 {
				t.Errorf("scopes %v and %v, %v", p.Scopes(), got, err)
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the watch ended with %v", err)
			}
		})
	}
}

// signatures returns what the store yields for the digest.
func signatures(ctx context.Context, c *cluster.Cluster) (found []string, errs []string) {
	for s, err := range c.Signatures().Signatures(ctx, digest) {
		if err != nil {
			errs = append(errs, err.Error())
			continue
		}
		found = append(found, string(s.Data))
	}
	return found, errs
}

// Signatures come from labelled ConfigMaps, then from the stores that the ClusterVersion
// names, with an authority of their own.
func TestSignatures(t *testing.T) {
	api := testcluster.Start(t)
	c, client := open(t, api.Config()), api.Dynamic(t)
	if found, errs := signatures(t.Context(), c); found != nil || errs != nil {
		t.Fatalf("a cluster without anything: %q, %q", found, errs)
	}
	remote := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/base/sha256="+strings.Repeat("0a", 32)+"/signature-1" {
			http.NotFound(w, r)
			return
		}
		_, _ = fmt.Fprint(w, "remote")
	}))
	defer remote.Close()
	for _, ns := range []string{"openshift-config-managed", "openshift-config"} {
		create(t, client, "namespaces", object("v1", "Namespace", "", ns, nil))
	}
	signature := func(name, data string, labels map[string]any) {
		t.Helper()
		m := object("v1", "ConfigMap", "openshift-config-managed", name, map[string]any{
			"binaryData": map[string]any{strings.Replace(digest, ":", "-", 1) + "-1": base64.StdEncoding.EncodeToString([]byte(data))},
		})
		m["metadata"].(map[string]any)["labels"] = labels
		create(t, client, "configmaps", m)
	}
	signature("good", "local", map[string]any{"release.openshift.io/verification-signatures": "any"})
	signature("unlabelled", "unseen", nil)
	want := func(wantFound, wantErrs string) {
		t.Helper()
		found, errs := signatures(t.Context(), c)
		if strings.Join(found, " ") != wantFound || !strings.Contains(strings.Join(errs, " "), wantErrs) || (len(errs) > 0) != (wantErrs != "") {
			t.Errorf("got %q and %q, want %q and %q", found, errs, wantFound, wantErrs)
		}
	}
	want("local", "")

	api.Install(t, testcluster.OpenShiftCRD(t, versionCRD))
	want("local", "")
	stores := func(value []any) {
		t.Helper()
		versions := client.Resource(schema.GroupVersionResource{Group: "config.openshift.io", Version: "v1", Resource: "clusterversions"})
		_ = versions.Delete(t.Context(), "version", metav1.DeleteOptions{})
		create(t, client, "clusterversions", object("config.openshift.io/v1", "ClusterVersion", "", "version", map[string]any{"spec": map[string]any{
			"clusterID": "00000000-0000-4000-8000-000000000000", "signatureStores": value,
		}}))
	}
	stores([]any{})
	want("local", "is an empty list")
	named := map[string]any{"url": remote.URL + "/base", "ca": map[string]any{"name": "ours"}}
	stores([]any{named})
	want("local", "configmap openshift-config/ours with its authority is not there")
	var ca bytes.Buffer
	fmt.Fprintf(&ca, "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", base64.StdEncoding.EncodeToString(remote.Certificate().Raw))
	create(t, client, "configmaps", object("v1", "ConfigMap", "openshift-config", "ours", map[string]any{"data": map[string]any{"ca.crt": ca.String()}}))
	want("local remote", "")
	stores([]any{map[string]any{"url": remote.URL + "/untrusted", "ca": map[string]any{"name": ""}}, named})
	want("local remote", "certificate")
}

// What the cluster forbids, and a cluster that is away, are errors with a class.
func TestRefused(t *testing.T) {
	api := testcluster.Start(t)
	nobody := open(t, api.User("nobody"))
	_, err := nobody.ImagePolicies(t.Context())
	if provider.ClassOf(err) != provider.ClassUnauthorized || !strings.Contains(err.Error(), "clusterimagepolicies") {
		t.Errorf("forbidden: %v", err)
	}
	if err := nobody.WatchImagePolicies(t.Context(), func() {}); provider.ClassOf(err) != provider.ClassUnauthorized {
		t.Errorf("forbidden to watch: %v", err)
	}
	if found, errs := signatures(t.Context(), nobody); found != nil || len(errs) != 2 {
		t.Errorf("forbidden to read ConfigMaps and the ClusterVersion: %q, %q", found, errs)
	}
	away := open(t, &rest.Config{Host: "https://127.0.0.1:1"})
	if _, err := away.ImagePolicies(t.Context()); provider.ClassOf(err) != provider.ClassUnreachable {
		t.Errorf("away: %v", err)
	}
	if _, err := cluster.New(cluster.Config{Kubeconfig: "/does/not/exist"}); err == nil {
		t.Error("a kubeconfig that is not there is no error")
	}
}
