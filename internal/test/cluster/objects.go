package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// Patience bounds the waits for what must happen. It is no measure of speed.
const Patience = 2 * time.Minute

// Dynamic is a client for any object, as the administrator.
func (c *Cluster) Dynamic(t testing.TB) dynamic.Interface {
	t.Helper()
	cfg := c.Config()
	cfg.WarningHandler = rest.NoWarnings{} // about definitions that are not ours
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// OpenShiftCRD reads a CustomResourceDefinition of github.com/openshift/api, at
// the version that we build with. path is below the module's folder.
func OpenShiftCRD(t testing.TB, path string) *unstructured.Unstructured {
	t.Helper()
	return readCRD(t, "github.com/openshift/api", path)
}

// HypershiftCRD reads the CustomResourceDefinition of a kind of
// hypershift.openshift.io, at the version that we build with. plural names the kind,
// as in "hostedclusters". It has the fields that are behind no feature gate.
func HypershiftCRD(t testing.TB, plural string) *unstructured.Unstructured {
	t.Helper()
	crd := readCRD(t, "github.com/openshift/hypershift/api",
		"hypershift/v1beta1/zz_generated.featuregated-crd-manifests/"+plural+".hypershift.openshift.io/AAA_ungated.yaml")
	annotations := crd.GetAnnotations()
	delete(annotations, "feature-gate.release.openshift.io/") // no name after the slash: the API server refuses it
	crd.SetAnnotations(annotations)
	return crd
}

// readCRD reads path, which is below the folder of module.
func readCRD(t testing.TB, module, path string) *unstructured.Unstructured {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("finding the folder of %s: %v", module, err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	crd := new(unstructured.Unstructured)
	if err := yaml.Unmarshal(data, &crd.Object); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return crd
}

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// Install creates the CRD and returns when its objects can be listed.
func (c *Cluster) Install(t testing.TB, crd *unstructured.Unstructured) {
	t.Helper()
	if _, err := c.Dynamic(t).Resource(crds).Create(t.Context(), crd.DeepCopy(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.served(t, crd, true)
}

// Uninstall deletes the CRD with its objects and returns when it is gone.
func (c *Cluster) Uninstall(t testing.TB, crd *unstructured.Unstructured) {
	t.Helper()
	if err := c.Dynamic(t).Resource(crds).Delete(t.Context(), crd.GetName(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	Await(t, crd.GetName()+" to be deleted", func(ctx context.Context) error {
		_, err := c.Dynamic(t).Resource(crds).Get(ctx, crd.GetName(), metav1.GetOptions{})
		return wantNotFound(err)
	})
	c.served(t, crd, false)
}

func (c *Cluster) served(t testing.TB, crd *unstructured.Unstructured, want bool) {
	t.Helper()
	get := func(fields ...string) string {
		s, _, err := unstructured.NestedString(crd.Object, fields...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	if err != nil || len(versions) == 0 {
		t.Fatalf("%s has no versions: %v", crd.GetName(), err)
	}
	kind := schema.GroupVersionResource{Group: get("spec", "group"), Version: versions[0].(map[string]any)["name"].(string), Resource: get("spec", "names", "plural")}
	Await(t, fmt.Sprintf("%s to be served: %t", crd.GetName(), want), func(ctx context.Context) error {
		_, err := c.Dynamic(t).Resource(kind).List(ctx, metav1.ListOptions{})
		if !want {
			return wantNotFound(err)
		}
		return err
	})
}

func wantNotFound(err error) error {
	switch {
	case err == nil:
		return fmt.Errorf("it is still there")
	case apierrors.IsNotFound(err):
		return nil
	}
	return err
}

// Await returns when check does so without an error, and fails the test with the
// last error if that takes too long.
func Await(t testing.TB, what string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	var last error
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil { // else it is about the end of the waiting
			last = err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s: %v", what, last)
		}
	}
}
