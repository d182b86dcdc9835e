// Package deploy applies the manifests of deploy/ to a test's cluster and connects
// as the accounts that they make, so that operators run in tests with the rights
// that they have on a cluster, and no more.
//
// It starts no operator. HyperShift's CRDs are the test's to install.
package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/servers"
)

// Namespace and Account are where the hypershift-operator runs, and as whom.
const (
	Namespace = "hypershift"
	Account   = "operator"
)

// Operator applies deploy/operator and returns a connection as the operator's
// account, with a token such as its pod gets. It is not limited on the client's side.
func Operator(t testing.TB, c *cluster.Cluster) *rest.Config {
	t.Helper()
	Apply(t, c, "operator")
	return As(t, c, Namespace, Account)
}

// As connects as a service account, which must be there.
func As(t testing.TB, c *cluster.Cluster, namespace, account string) *rest.Config {
	t.Helper()
	cfg := c.Config()
	cfg.BearerToken = strings.TrimSpace(kubectl(t, c, "create", "token", account, "--namespace="+namespace))
	return cfg
}

// Apply applies a folder below deploy/ as an administrator would, and returns what
// kubectl said. args are added, as in "--dry-run=server".
func Apply(t testing.TB, c *cluster.Cluster, folder string, args ...string) string {
	t.Helper()
	return kubectl(t, c, append([]string{"apply", "--server-side", "-k", Folder(t, folder)}, args...)...)
}

// Build returns the objects that kustomize makes of a folder below deploy/, in its
// order. It needs no cluster, and skips the test where kubectl is not built.
func Build(t testing.TB, folder string) []*unstructured.Unstructured {
	t.Helper()
	bin, err := servers.Find(servers.ControlPlane)
	if errors.Is(err, servers.ErrNotBuilt) && os.Getenv(servers.EnvDir) == "" {
		t.Skipf("needs kubectl: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text := output(t, exec.CommandContext(t.Context(), filepath.Join(bin, "kubectl"), "kustomize", Folder(t, folder)))
	var out []*unstructured.Unstructured
	for d := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), len(text)); ; {
		obj := new(unstructured.Unstructured)
		err := d.Decode(&obj.Object)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("deploy/%s: %v", folder, err)
		}
		out = append(out, obj)
	}
}

// Folder returns the path of a folder below deploy/ of the checkout.
func Folder(t testing.TB, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMOD").Output()
	if err != nil {
		t.Fatalf("finding the checkout: %v", err)
	}
	return filepath.Join(filepath.Dir(strings.TrimSpace(string(out))), "deploy", filepath.FromSlash(name))
}

func kubectl(t testing.TB, c *cluster.Cluster, args ...string) string {
	t.Helper()
	return output(t, c.Kubectl(t, args...))
}

// output runs cmd and returns what it wrote. Warnings are failures.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, stderr.String())
	}
	return string(out)
}

// Deployment returns the operator's, among what [Build] returned.
func Deployment(t testing.TB, objects []*unstructured.Unstructured) *appsv1.Deployment {
	t.Helper()
	for _, obj := range objects {
		if obj.GetKind() != "Deployment" {
			continue
		}
		d := new(appsv1.Deployment)
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(obj.Object, d, true); err != nil {
			t.Fatalf("Deployment %s: %v", obj.GetName(), err)
		}
		return d
	}
	t.Fatal("there is no Deployment")
	return nil
}
