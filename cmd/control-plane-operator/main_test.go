package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/mirrorchain/mirrorchain/test/cluster"
)

// The process starts with the arguments that its Deployment has, takes the lease and
// ends well on SIGTERM.
func TestProcess(t *testing.T) {
	c := cluster.Start(t)
	c.Install(t, cluster.HypershiftCRD(t, "hostedcontrolplanes"))

	bin := filepath.Join(t.TempDir(), "control-plane-operator")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), bin, "run", "--namespace", "default", "--deployment-name", "control-plane-operator",
		"--metrics-addr", "0", "--health-addr", "0", "--enable-ci-debug-output=false", "--registry-overrides==", "--image-overrides==")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.Env = append(os.Environ(), "KUBECONFIG="+c.Kubeconfig(t, c.Config()),
		"CONTROL_PLANE_OPERATOR_IMAGE=registry.example.com/cpo:1", "OPENSHIFT_IMG_OVERRIDES==")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	leases := c.Dynamic(t).Resource(schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}).Namespace("default")
	cluster.Await(t, "the lease", func(ctx context.Context) error {
		lease, err := leases.Get(ctx, "control-plane-operator", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if holder, _, _ := unstructured.NestedString(lease.Object, "spec", "holderIdentity"); holder == "" {
			return errors.New("nobody holds it")
		}
		return nil
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v:\n%s", err, stderr.String())
	}
}
