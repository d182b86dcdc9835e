package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
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

// Dynamic returns a client for any object, as the administrator.
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

// Modules that have definitions beside their types.
const (
	openShiftAPI  = "github.com/openshift/api"
	hypershiftAPI = "github.com/openshift/hypershift/api"
)

// OpenShiftCRD reads a CustomResourceDefinition of github.com/openshift/api, at
// the version that we build with. path is below the module's folder.
func OpenShiftCRD(t testing.TB, path string) *unstructured.Unstructured {
	t.Helper()
	return readCRD(t, openShiftAPI, path)
}

// HypershiftCRD reads the CustomResourceDefinition of a kind of
// hypershift.openshift.io, at the version that we build with. plural names the kind,
// as in "hostedclusters". It has the fields that are behind no feature gate.
func HypershiftCRD(t testing.TB, plural string) *unstructured.Unstructured {
	t.Helper()
	crd := readCRD(t, hypershiftAPI,
		"hypershift/v1beta1/zz_generated.featuregated-crd-manifests/"+plural+".hypershift.openshift.io/AAA_ungated.yaml")
	annotations := crd.GetAnnotations()
	delete(annotations, "feature-gate.release.openshift.io/") // no name after the slash: the API server refuses it
	crd.SetAnnotations(annotations)
	return crd
}

// moduleFolders finds the folders of the modules that have definitions. It asks the go
// command once.
var moduleFolders = sync.OnceValues(func() (map[string]string, error) {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Path}}={{.Dir}}", openShiftAPI, hypershiftAPI)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	dirs := map[string]string{}
	for _, line := range strings.Fields(string(out)) {
		module, dir, _ := strings.Cut(line, "=")
		dirs[module] = dir
	}
	return dirs, nil
})

// readCRD reads path, which is below the folder of module.
func readCRD(t testing.TB, module, path string) *unstructured.Unstructured {
	t.Helper()
	dirs, err := moduleFolders()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dirs[module], filepath.FromSlash(path)))
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

// Install creates the CRDs and returns when the objects of all can be listed. It is
// faster with all that a test needs than with one after the other.
func (c *Cluster) Install(t testing.TB, definitions ...*unstructured.Unstructured) {
	t.Helper()
	client := c.Dynamic(t).Resource(crds)
	for _, crd := range definitions {
		if _, err := client.Create(t.Context(), crd.DeepCopy(), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, crd := range definitions {
		Await(t, crd.GetName()+" to be established", func(ctx context.Context) error {
			live, err := client.Get(ctx, crd.GetName(), metav1.GetOptions{})
			if err != nil {
				return err
			}
			if err := backdate(live); err != nil {
				return err
			}
			_, err = client.UpdateStatus(ctx, live, metav1.UpdateOptions{})
			return err
		})
	}
	for _, crd := range definitions {
		c.awaitStatus(t, crd, http.StatusOK)
	}
}

// backdate changes the time at which a CRD was established, and fails if it is not. The
// API server waits for two seconds before it creates an object of a CRD that was
// established less than two seconds ago, because other API servers may not know it yet
// (apiextensions-apiserver, customresource_handler.go). Here is no other.
func backdate(crd *unstructured.Unstructured) error {
	conditions, _, err := unstructured.NestedSlice(crd.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, c := range conditions {
		if c := c.(map[string]any); c["type"] == "Established" && c["status"] == "True" {
			c["lastTransitionTime"] = time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
			return unstructured.SetNestedSlice(crd.Object, conditions, "status", "conditions")
		}
	}
	return fmt.Errorf("its conditions are %v", conditions)
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
	c.awaitStatus(t, crd, http.StatusNotFound)
}

// awaitStatus waits until the API server answers with that status who lists the objects
// of a CRD. It does not use client-go, which waits for a second before it asks again
// where the server says that it is not ready yet.
func (c *Cluster) awaitStatus(t testing.TB, crd *unstructured.Unstructured, want int) {
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
	path := fmt.Sprintf("/apis/%s/%s/%s", get("spec", "group"), versions[0].(map[string]any)["name"], get("spec", "names", "plural"))
	Await(t, fmt.Sprintf("status %d of %s", want, path), func(ctx context.Context) error {
		status, err := c.status(ctx, path)
		if err == nil && status != want {
			err = fmt.Errorf("it is %d", status)
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

// Await returns when check does so without an error, and fails the test with the last
// error if that takes too long. A check that takes long is made less often, so that it
// leaves the processor to what is waited for.
func Await(t testing.TB, what string, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var last error
	for {
		began := time.Now()
		err := check(ctx)
		if err == nil {
			return
		}
		if last == nil || ctx.Err() == nil { // else it is about the end of the waiting
			last = err
		}
		select {
		case <-time.After(max(20*time.Millisecond, time.Since(began))):
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s: %v", what, last)
		}
	}
}
