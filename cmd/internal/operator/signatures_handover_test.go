package operator_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap/zaptest"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/internal/test/signing"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// identity returns the ID of the verifier in a namespace: mode, keys and policies are in it.
func identity(t *testing.T, s *operator.Signatures, namespace string) string {
	t.Helper()
	return s.Verifier(provider.ContentFunc(nil))(namespace).ID()
}

// What control planes are handed asks for the same as the flags do, where another process
// can ask for it, and flags of their own go before it.
func TestHandOnSignatures(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	keyring := file("key.asc", string(signing.NewGPG(t, "Ours").Public(t)))
	store := filepath.Dir(filepath.Dir(file("store/sha256="+strings.Repeat("0", 64)+"/signature-1", "x")))
	const url = "https://signatures.example.com/releases"
	for _, c := range []struct {
		name, args string
		same       string // the flags that ask for what is handed on; "" for nothing
	}{
		{"none", "", ""},
		{"sigstore", "--verify-signatures=node --image-policy=openshift-4.22", "--verify-signatures=node --image-policy=openshift-4.22"},
		{"warn", "--verify-signatures=warn --image-policy=openshift-4.21", "--verify-signatures=warn --image-policy=openshift-4.21"},
		{"GPG with keys of our own", "--verify-signatures=next --keyring=" + keyring + " --signatures=" + url, "--verify-signatures=next --keyring=" + keyring + " --signatures=" + url},
		{"GPG with Red Hat's", "--verify-signatures=next --signatures=" + url, "--verify-signatures=next --signatures=" + url},
		{"both", "--verify-signatures=next --signatures=" + url + " --image-policy=openshift-4.21", "--verify-signatures=next --signatures=" + url + " --image-policy=openshift-4.21"},
		{"a folder alone", "--verify-signatures=next --keyring=" + keyring + " --signatures=" + store, ""},
		{"a folder beside a URL", "--verify-signatures=next --signatures=" + store + " --signatures=" + url + " --image-policy=openshift-4.21", "--verify-signatures=next --image-policy=openshift-4.21"},
		{"a password", "--verify-signatures=next --signatures=https://user:s3cr3t@signatures.example.com --image-policy=openshift-4.21", "--verify-signatures=next --image-policy=openshift-4.21"},
		{"a user", "--verify-signatures=next --signatures=https://s3cr3t@signatures.example.com", ""},
		{"the cluster's", "--verify-signatures=next --signatures=cluster: --image-policy=openshift-4.21", "--verify-signatures=next --image-policy=openshift-4.21"},
	} {
		s, err := parse(t, &rest.Config{Host: "https://127.0.0.1:1"}, strings.Fields(c.args)...)
		if err != nil {
			t.Fatal(err)
		}
		document, err := s.HandOn("clusters-one")
		if err != nil || (document == "") != (c.same == "") || strings.Contains(document, "s3cr3t") {
			t.Errorf("%s: %q, %v", c.name, document, err)
		}
		if second, _ := s.HandOn("clusters-one"); second != document {
			t.Errorf("%s: another document of the same", c.name)
		}
		vars := operator.HandOnSignatures(document)
		if c.same == "" {
			if len(vars) > 0 {
				t.Errorf("%s: %v", c.name, vars)
			}
			continue
		}
		var none operator.SignatureFlags
		got, err := none.ReadHanded(vars[0].Value, zaptest.NewLogger(t))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		want, err := parse(t, nil, strings.Fields(c.same)...)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := identity(t, got, ""), identity(t, want, ""); a != b {
			t.Errorf("%s: asks for %s, want %s", c.name, a, b)
		}
		own := operator.SignatureFlags{Mode: "node", Policies: []string{"openshift-4.22"}}
		got, err = own.ReadHanded(document, zaptest.NewLogger(t))
		if want, _ := parse(t, nil, "--verify-signatures=node", "--image-policy=openshift-4.22"); err != nil || identity(t, got, "") != identity(t, want, "") {
			t.Errorf("%s: flags do not go before it: %v", c.name, err)
		}
	}
}

// What is not read in full is refused, since it could ask for less.
func TestHandedSignaturesRefused(t *testing.T) {
	var none operator.SignatureFlags
	if s, err := none.ReadHanded("", nil); s != nil || err != nil {
		t.Errorf("nothing: %v, %v", s, err)
	}
	for document, want := range map[string]string{
		"{":                           "it is no document",
		`{"version":2}`:               "version 2",
		`{"version":1,"mode":"next"}`: "asks for no signature",
		`{"version":1,"mode":"always","signatures":["https://a.corp"]}`:                              "want next, node or warn",
		`{"version":1,"mode":"next","signatures":["/etc"]}`:                                          "want URLs",
		`{"version":1,"mode":"next","signatures":["https://a.corp"],"keyrings":[{"name":"k"}]}`:      "no public key",
		`{"version":1,"mode":"next","imagePolicies":[{"kind":"ClusterImagePolicy","spec":{}}]}`:      "clusterimagepolicy/",
		`{"version":1,"mode":"next","keyrings":[{"name":"k","keys":"AA=="}],"imagePolicies":[{}]}`:   "asks for no signature",
		`{"version":1,"mode":"next","signatures":["https://u:s3cr3t@a.corp"],"imagePolicies":[{}] }`: "want URLs without a password",
	} {
		s, err := none.ReadHanded(document, nil)
		if s != nil || err == nil || !strings.HasPrefix(err.Error(), "$MIRRORCHAIN_SIGNATURES: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v; want %q", document, err, want)
		}
	}
}

// What would not fit into a Deployment is not handed on.
func TestSignaturesTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.asc")
	key := signing.NewGPG(t, "Ours").Public(t)
	if err := os.WriteFile(path, append(key, make([]byte, 80<<10)...), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := parse(t, nil, "--verify-signatures=next", "--keyring="+path, "--signatures=https://a.corp")
	if err != nil {
		t.Fatal(err)
	}
	document, err := s.HandOn("n")
	if _, ok := errors.AsType[*handover.TooLargeError](err); !ok || document != "" {
		t.Errorf("%d bytes, %v", len(document), err)
	}
}
