package payload

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
)

const mirrorPassword = "very-long-password-of-the-mirror"

func pullSecretOf(password string) []byte {
	return fmt.Appendf(nil, `{"auths":{"m.example.com":{"username":"u","password":%q}}}`, password)
}

// A kubeconfig's secrets are found in whatever form it is.
func TestKubeconfigSecrets(t *testing.T) {
	key := "-----BEGIN PRIVATE KEY-----\nabc\n"
	encoded := base64.StdEncoding.EncodeToString([]byte(key))
	for name, kubeconfig := range map[string]string{
		"YAML":      "users:\n- name: u\n  user:\n    token: kube-bootstrap-token\n    client-key-data: " + encoded + "\n",
		"flow YAML": "users: [{name: u, user: {token: kube-bootstrap-token, client-key-data: " + encoded + "}}]",
		"JSON":      `{"users":[{"name":"u","user":{"token":"kube-bootstrap-token","client-key-data":"` + encoded + `"}}]}`,
		"folded":    "users:\n- user:\n    token: >-\n      kube-bootstrap-token\n    client-key-data: |\n      " + encoded + "\n",
		"broken":    "}{\n  token: kube-bootstrap-token\n  client-key-data: " + encoded + "\n",
	} {
		s := newSecrets(nil, []byte(kubeconfig))
		out := s.redact("it said kube-bootstrap-token and " + encoded)
		if strings.Contains(out, "kube-bootstrap") || strings.Contains(out, encoded) {
			t.Errorf("%s: %q", name, out)
		}
	}
}

// Wherever output is cut, no part of a secret is told.
func TestOutputIsCutBetweenSecrets(t *testing.T) {
	s := newSecrets(pullSecretOf(mirrorPassword), nil)
	w := &work{secrets: s, path: "/nowhere"}
	kept := keep + s.margin()
	for shift := range 2*len(mirrorPassword) + 4 {
		for _, at := range []int{keep, kept} { // from the end: where it is cut by us, or by the process
			printed := strings.Repeat("x", 100) + mirrorPassword + strings.Repeat("y", at-shift)
			output := printed
			if len(output) > kept { // as the process does it
				output = process.Cut + output[len(output)-kept:]
			}
			shown := w.publicOutput(output)
			for n := shortest; n <= len(mirrorPassword); n++ {
				for from := 0; from+n <= len(mirrorPassword); from++ {
					if part := mirrorPassword[from : from+n]; strings.Contains(shown, part) {
						t.Fatalf("%d before %d: %q is told", shift, at, part)
					}
				}
			}
			if want := strings.Repeat("y", keep-4*len(mirrorPassword)); !strings.HasSuffix(shown, want) {
				t.Fatalf("%d before %d: %d bytes are left", shift, at, len(shown))
			}
		}
	}
	for n := shortest; n < len(mirrorPassword); n++ {
		if shown := w.publicOutput("it printed " + mirrorPassword[:n]); shown != "it printed REDACTED" {
			t.Errorf("a beginning: %q", shown)
		}
	}
	if shown := w.publicOutput("nothing of note"); shown != "nothing of note" {
		t.Errorf("got %q", shown)
	}
}
