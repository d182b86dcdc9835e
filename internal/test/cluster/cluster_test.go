package cluster_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
)

func TestCluster(t *testing.T) {
	c := cluster.Start(t)

	t.Run("kubectl", func(t *testing.T) {
		out, err := c.Kubectl(t, "version").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, want := range []string{"Client Version: v1.36.3", "Server Version: v1.36.3"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("kubectl version does not say %q:\n%s", want, out)
			}
		}
	})

	namespaces := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	t.Run("RBAC", func(t *testing.T) {
		somebody, err := dynamic.NewForConfig(c.User("somebody"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := somebody.Resource(namespaces).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("got %v, want that it is forbidden", err)
		}
	})

	t.Run("restart", func(t *testing.T) {
		before := c.Config().Host
		c.StopAPI(t)
		if _, err := c.Dynamic(t).Resource(namespaces).List(t.Context(), metav1.ListOptions{}); err == nil {
			t.Error("a stopped API server answers")
		}
		c.StartAPI(t)
		if after := c.Config().Host; after != before {
			t.Errorf("the address was %s and is now %s", before, after)
		}
		if _, err := c.Dynamic(t).Resource(namespaces).Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
			t.Errorf("what was there before is gone: %v", err)
		}
	})
}
