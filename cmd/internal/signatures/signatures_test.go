package signatures

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/provider/verify/cluster"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Files are told apart by their content, and lists are read.
func TestObjects(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"kind: ConfigMap\n", "ConfigMap"},
		{"# a comment\n---\nkind: A\n---\n\n---\napiVersion: v1\nkind: B\n", "A B"},
		{`{"kind":"ConfigMap"}`, "ConfigMap"},
		{`{"kind":"List","items":[{"kind":"A"},{"kind":"B"}]}`, "A B"},
		{"kind: ConfigMapList\nitems:\n- metadata: {}\n- kind: ConfigMap\n", "ConfigMap ConfigMap"},
		{"kind: List\nitems: []\n", ""},
	} {
		all, err := objects([]byte(c.text))
		var kinds []string
		for _, o := range all {
			kinds = append(kinds, o.kind)
		}
		if got := strings.Join(kinds, " "); err != nil || got != c.want || !isObjects([]byte(c.text)) {
			t.Errorf("%q: %q, %v, want %q", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQIN\n", "\x99\n{\xff", ""} {
		if isObjects([]byte(text)) {
			t.Errorf("%q passes for objects", text)
		}
	}
	for _, text := range []string{"{", "kind: [", "- a\n", "kind: List\nitems: [1]\n", "kind: List\nitems: 1\n"} {
		if all, err := objects([]byte(text)); err == nil {
			t.Errorf("%q: got %v", text, all)
		}
	}
}

// Wrong input is refused, with the file's name.
func TestRefused(t *testing.T) {
	empty, noKey := write(t, ""), write(t, "kind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n")
	badKey := write(t, "kind: ConfigMap\ndata: {verifier-public-key-x: nothing}\n")
	for _, path := range []string{empty, noKey, badKey, t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := Keyrings([]string{path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Keyrings([]string{badKey, badKey}); err == nil || !strings.Contains(err.Error(), "verifier-public-key-x") {
		t.Error(err)
	}
	for _, path := range []string{empty, t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if _, err := OpenStores([]string{path}, "a/b", nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	// A signature as it is, and the folder of one image: what to name is said.
	one := filepath.Join(t.TempDir(), "sha256="+strings.Repeat("0", 64))
	signature := filepath.Join(one, "signature-1")
	if err := errors.Join(os.Mkdir(one, 0o700), os.WriteFile(signature, []byte("\xa3\x02x\x9c"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{signature: signature + ": no ConfigMap in it", one: "name the folder around it, " + filepath.Dir(one)} {
		if _, err := OpenStores([]string{path}, "a/b", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	unsupported := write(t, "kind: ClusterImagePolicy\nmetadata: {name: x}\nspec: {scopes: [a.corp], policy: {rootOfTrust: {policyType: Other}}}\n")
	for _, path := range []string{empty, noKey, unsupported} {
		if _, err := ImagePolicies([]string{path}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// The oldest nodes that have all the built-in policies are named.
func TestBuiltIn(t *testing.T) {
	for _, c := range []struct {
		specs  []string
		nodes  string
		scopes int
	}{
		{nil, "nodes of 4.21 and later", 1},
		{[]string{"openshift-4.22"}, "nodes of 4.22 and later", 3},
		{[]string{"openshift-4.22", "openshift-4.21"}, "nodes of 4.22 and later", 3},
	} {
		flags, err := ImagePolicies(c.specs)
		if err != nil {
			t.Fatal(err)
		}
		p, err := flags.Policies()
		if err != nil || p.Nodes != c.nodes || len(p.Scopes()) != c.scopes {
			t.Errorf("%v: %+v, %v", c.specs, p, err)
		}
	}
}

// Policies of the cluster are beside those of releases; "cluster:" is read later.
func TestCluster(t *testing.T) {
	flags, err := ImagePolicies([]string{"openshift-4.21", "cluster:"})
	if err != nil || !flags.Cluster {
		t.Fatalf("%+v, %v", flags, err)
	}
	own, _ := sigstore.OpenShift(21)
	own.Spec.Scopes = []string{"quay.io/own"}
	p, err := flags.Policies(own)
	if err != nil || len(p.Scopes()) != 2 || p.Nodes != "nodes with these image policies" {
		t.Errorf("%+v, %v", p, err)
	}
	own.Spec.Policy.RootOfTrust.PolicyType = "Other"
	if _, err := flags.Policies(own); err == nil {
		t.Error("a policy that cannot be read is no error")
	}
	for _, spec := range []string{"cluster:x", ""} {
		if _, err := ImagePolicies([]string{spec}); !isUsage(err) {
			t.Errorf("%q: %v", spec, err)
		}
	}

	away := func() (*cluster.Cluster, error) {
		return cluster.New(cluster.Config{REST: &rest.Config{Host: "https://127.0.0.1:1"}})
	}
	stores, err := OpenStores([]string{"cluster:"}, "a/b", away)
	if err != nil || len(stores.All) != 1 || !stores.IsRemote("cluster:") {
		t.Errorf("%+v, %v", stores, err)
	}
	for _, in := range []func() (*cluster.Cluster, error){nil, away} {
		if _, err := OpenStores([]string{"cluster:x"}, "a/b", in); !isUsage(err) {
			t.Errorf("an argument: %v", err)
		}
	}
	if _, err := OpenStores([]string{"cluster:"}, "a/b", nil); !isUsage(err) {
		t.Errorf("no cluster: %v", err)
	}
}

func isUsage(err error) bool {
	_, ok := errors.AsType[*UsageError](err)
	return ok
}

func FuzzObjects(f *testing.F) {
	for _, seed := range []string{"kind: List\nitems:\n- kind: ConfigMap\n  binaryData: {sha256-00-1: AA==}\n", `{"kind":"ConfigMap"}`, "---\n---\n", "a: &a [*a]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		maps, err := configMaps("file", data)
		if err != nil && maps != nil {
			t.Errorf("%v, and %d ConfigMaps", err, len(maps))
		}
	})
}
