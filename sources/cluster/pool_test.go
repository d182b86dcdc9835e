package cluster_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	testcluster "github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/cluster"
	"github.com/mirrorchain/mirrorchain/sources/internal/kube/kubetest"
)

// The source of a pool says what the MachineConfig says that the pool's nodes have: not
// what another pool's nodes have, nor what the cluster's policies say meanwhile.
func TestPool(t *testing.T) {
	c := testcluster.Start(t)
	version := schema.GroupVersion{Group: "machineconfiguration.openshift.io", Version: "v1"}
	const crds = "machineconfiguration/v1/zz_generated.crd-manifests/0000_80_machine-config_01_"
	load := func(pool string) (*policy.Rules, policy.Policy, error) {
		src, err := cluster.Factory(cluster.Config{REST: c.Config()}).Open(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		if src.Name() != "cluster:"+pool {
			t.Errorf("named %q", src.Name())
		}
		p, err := src.Load(t.Context())
		if err != nil {
			return nil, p, err
		}
		rules, err := policy.NewRules(policy.RulesConfig{}, p)
		return rules, p, err
	}
	failure := func(pool string, says ...string) {
		t.Helper()
		_, _, err := load(pool)
		if err == nil {
			t.Errorf("%s: no error", pool)
			return
		}
		for _, s := range says {
			if !strings.Contains(err.Error(), s) {
				t.Errorf("%s: %q does not say %q", pool, err, s)
			}
		}
	}
	failure("worker", "no machine-config operator")

	c.Install(t, testcluster.OpenShiftCRD(t, crds+"machineconfigs.crd.yaml"), testcluster.OpenShiftCRD(t, crds+"machineconfigpools-SelfManagedHA.crd.yaml"))
	configs, pools := c.Dynamic(t).Resource(version.WithResource("machineconfigs")), c.Dynamic(t).Resource(version.WithResource("machineconfigpools"))
	render := func(name string, files map[string]string) {
		t.Helper()
		var list []any
		for path, source := range files {
			list = append(list, map[string]any{"path": path, "contents": map[string]any{"source": source}})
		}
		o := kubetest.Object(version, "MachineConfig", name, map[string]any{
			"config": map[string]any{"ignition": map[string]any{"version": "3.4.0"}, "storage": map[string]any{"files": list}},
		})
		if _, err := configs.Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(pool, wanted, has string) {
		t.Helper()
		o, err := pools.Create(t.Context(), kubetest.Object(version, "MachineConfigPool", pool, map[string]any{
			"configuration": map[string]any{"name": wanted},
		}), metav1.CreateOptions{})
		if err == nil && has != "" {
			unstructured.SetNestedField(o.Object, has, "status", "configuration", "name")
			_, err = pools.UpdateStatus(t.Context(), o, metav1.UpdateOptions{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	table := func(mirror string) string {
		return "[[registry]]\nprefix = \"\"\nlocation = \"quay.io/acme\"\n[[registry.mirror]]\nlocation = \"" + mirror + "/acme\"\npull-from-mirror = \"digest-only\"\n"
	}
	base64URL := func(s string) string {
		return "data:text/plain;charset=utf-8;base64," + base64.StdEncoding.EncodeToString([]byte(s))
	}
	render("rendered-worker-1", map[string]string{"/etc/containers/registries.conf": base64URL(table("one.example.com"))})
	render("rendered-worker-2", map[string]string{"/etc/containers/registries.conf": base64URL(table("two.example.com"))})
	render("rendered-master-1", map[string]string{
		"/etc/containers/registries.conf":                base64URL(table("one.example.com")),
		"/etc/containers/registries.conf.d/50-mine.conf": "data:," + url.PathEscape(table("drop-in.example.com")),
		"/etc/motd": "data:,hello",
	})
	put("worker", "rendered-worker-2", "rendered-worker-1")
	put("master", "rendered-master-1", "rendered-master-1")
	put("new", "", "")
	put("gone", "rendered-gone-1", "rendered-gone-1")

	rules, p, err := load("worker")
	if err != nil {
		t.Fatal(err)
	}
	if !kubetest.HasMirror(rules, kubetest.Digest(), "one.example.com") || kubetest.HasMirror(rules, kubetest.Digest(), "two.example.com") {
		t.Error("worker: not what its nodes have")
	}
	if len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Message, "being updated from rendered-worker-1, which is read, to rendered-worker-2") {
		t.Errorf("worker: warnings %v", p.Warnings)
	}
	if rules, p, err = load("master"); err != nil || len(p.Warnings) != 0 {
		t.Fatal(err, p.Warnings)
	}
	if !kubetest.HasMirror(rules, kubetest.Digest(), "drop-in.example.com") || kubetest.HasMirror(rules, kubetest.Digest(), "one.example.com") {
		t.Error("master: the drop-in does not replace the table")
	}
	failure("workers", "the cluster does not have it; it has gone, master, new, worker")
	failure("new", "names no rendered MachineConfig yet")
	failure("gone", "have the MachineConfig rendered-gone-1, which the cluster does not have")
	if _, err := cluster.Factory(cluster.Config{REST: c.Config()}).Open(t.Context(), "no pool"); err == nil || !strings.Contains(err.Error(), `"no pool" is no name of a MachineConfigPool`) {
		t.Error(err)
	}

	conn := c.User("nobody")
	src, err := cluster.Factory(cluster.Config{REST: conn}).Open(t.Context(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = src.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "forbidden") {
		t.Error(err)
	}
}
