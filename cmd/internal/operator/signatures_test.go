package operator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.uber.org/zap/zaptest"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/provider"
)

// parse reads a command line.
func parse(t *testing.T, conn *rest.Config, args ...string) (*operator.Signatures, error) {
	t.Helper()
	var f operator.SignatureFlags
	s := pflag.NewFlagSet("run", pflag.ContinueOnError)
	f.Register(s, conn != nil)
	if err := s.Parse(args); err != nil {
		t.Fatal(err)
	}
	return f.Read(conn, zaptest.NewLogger(t))
}

func TestSignatureFlags(t *testing.T) {
	store := filepath.Join(t.TempDir(), "sha256="+strings.Repeat("0", 64))
	if err := os.Mkdir(store, 0o700); err != nil {
		t.Fatal(err)
	}
	store = filepath.Dir(store)
	away := &rest.Config{Host: "https://127.0.0.1:1"}
	for _, c := range []struct {
		conn *rest.Config
		args string
		want string // in the error
	}{
		{nil, "", ""},
		{nil, "--verify-signatures=next --image-policy=openshift-4.21", ""},
		{nil, "--verify-signatures=node --signatures=" + store, ""},
		{away, "--verify-signatures=warn --signatures=cluster: --image-policy=cluster:", ""},
		{nil, "--image-policy=openshift-4.21", "--image-policy has no effect without --verify-signatures"},
		{nil, "--verify-signatures=always --image-policy=openshift-4.21", "want next, node or warn"},
		{nil, "--verify-signatures=next", "needs to know which"},
		{nil, "--verify-signatures=next --image-policy=openshift-4.21 --keyring=x", "--keyring needs a place"},
		{nil, "--verify-signatures=next --image-policy=openshift-4.20", "want openshift-4.21 or later"},
		{nil, "--verify-signatures=next --image-policy=/does/not/exist", "/does/not/exist"},
		{nil, "--verify-signatures=next --signatures=/does/not/exist", "/does/not/exist"},
		{nil, "--verify-signatures=next --signatures=" + store + " --keyring=/does/not/exist", "/does/not/exist"},
		{nil, "--verify-signatures=next --signatures=cluster:", "--signatures cluster:"},
		{nil, "--verify-signatures=next --image-policy=cluster:", "its own namespace alone"},
	} {
		s, err := parse(t, c.conn, strings.Fields(c.args)...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
		if (s != nil) != (err == nil && c.args != "") {
			t.Errorf("%s: got %v", c.args, s)
		}
	}
}

// Without flags nothing is asked for; until the cluster was read once there is no verifier,
// and what files say is in force at once.
func TestSignaturesInForce(t *testing.T) {
	var none *operator.Signatures
	if none.Verifier(nil) != nil || none.Waiting() != nil || none.NotInForce() != nil {
		t.Error("nothing is something")
	}
	if of, err := none.OfCluster(nil); of != nil || err != nil {
		t.Errorf("a function, %v", err)
	}
	content := provider.ContentFunc(nil)
	files, err := parse(t, nil, "--verify-signatures=next", "--image-policy=openshift-4.22")
	if err != nil {
		t.Fatal(err)
	}
	of := files.Verifier(content)
	if v := of(""); v == nil || v != of("") || files.Waiting() != nil || files.NotInForce() != nil {
		t.Errorf("files: %v, %v", v, files.NotInForce())
	}
	if _, err := files.OfCluster(nil); err == nil {
		t.Error("a base that reads no signatures is no error")
	}
	away, err := parse(t, &rest.Config{Host: "https://127.0.0.1:1"}, "--verify-signatures=next", "--image-policy=cluster:", "--image-policy=openshift-4.21")
	if err != nil {
		t.Fatal(err)
	}
	if v := away.Verifier(content)(""); v != nil || away.Waiting() == nil || away.NotInForce() == nil {
		t.Errorf("a cluster that was not read: %v, %v, %v", v, away.Waiting(), away.NotInForce())
	}
}
