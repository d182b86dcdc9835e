package signedreport

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Unread is Missing, because nodes do not look.
const Unread = "unread"

// Rejected is Bad, because policy.json rejects the image.
const Rejected = "rejected"

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

var errs = map[string]error{
	Good: nil, Missing: &sigstore.Error{}, Bad: &sigstore.Error{Errs: []error{errors.New("x")}}, Failed: &provider.Error{Class: provider.ClassServer},
	Unread: &sigstore.Error{Unread: "why"}, Rejected: &node.RejectedError{Scope: "quay.io"},
}

// result returns that of an image at a mirror, "" for the source.
func result(name, mirror, status string) Result {
	host := mirror
	if host == "" {
		host = "quay.io"
	}
	return Result{Mirror: host, Signed: check.Signed{Err: errs[status], Manifest: check.Manifest{
		Name: name, Image: imageref.MustParse("quay.io/a/" + name + "@" + digest), Digest: digest,
		At: policy.Candidate{Ref: imageref.MustParse(host + "/a/" + name + "@" + digest), Mirror: mirror != ""},
	}}}
}

func TestAnswer(t *testing.T) {
	const m, n = "m.corp", "n.corp"
	for _, c := range []struct {
		results []Result
		absent  int
		answer  string
		code    int
		nodes   string
	}{
		{[]Result{result("x", m, Good)}, 0, yes, failure.ExitOK, "nodes would accept this release from these mirrors: yes"},
		{[]Result{result("x", "", Good)}, 0, yes, failure.ExitOK, "nodes would accept this release from its own registry: yes"},
		{[]Result{result("x", m, Good), result("y", m, Missing)}, 0, no, failure.ExitNotFound, ": no, because m.corp has no signature of y"},
		{[]Result{result("x", m, Bad), result("y", m, Missing)}, 0, no, failure.ExitDigest, ": no, because m.corp has no signature of y, and has signatures that are not accepted, of x"},
		{[]Result{result("x", m, Good), result("x", n, Missing)}, 0, mixed, failure.ExitNotFound, ": yes from m.corp; no from n.corp, because n.corp has no signature of x"},
		{[]Result{result("x", m, Missing), result("x", n, Missing)}, 0, no, failure.ExitNotFound, ": no, because m.corp has no signature of x; n.corp has no signature of x"},
		{[]Result{result("x", m, Failed)}, 0, unknown, failure.ExitUnreachable, ": unknown, because m.corp could not be asked for those of x"},
		{[]Result{result("x", m, Failed), result("x", n, Missing)}, 0, unknown, failure.ExitUnreachable, ": no from n.corp; unknown from m.corp, because m.corp could not be asked for those of x; n.corp has no signature of x"},
		{[]Result{result("x", m, Failed), result("x", n, Good)}, 0, unknown, failure.ExitUnreachable, ": unknown, because m.corp could not be asked for those of x"},
		{[]Result{result("x", m, Failed), result("y", m, Missing), result("y", n, Good)}, 0, mixed, failure.ExitUnreachable, ": yes from n.corp; no from m.corp, because m.corp has no signature of y, and could not be asked for those of x"},
		{[]Result{result("x", m, Rejected), result("y", m, Good)}, 0, no, failure.ExitForbidden, ": no, because m.corp has images that nodes reject, whoever serves them: x"},
		{[]Result{result("x", m, Unread)}, 0, no, failure.ExitNotFound, ": no, because m.corp is a place where nodes look for no signatures, of x"},
		{[]Result{result("x", m, Good)}, 2, no, failure.ExitNotFound, ": no, because 2 images of it cannot be had from any of them"},
		{nil, 0, unknown, failure.ExitOK, ": unknown"},
		{[]Result{result("a", m, Missing), result("b", m, Missing), result("c", m, Missing), result("d", m, Missing)}, 0, no, failure.ExitNotFound, "has no signature of a, b and 2 more"},
	} {
		r := New(Config{Nodes: "nodes", Images: 1, Absent: c.absent}, c.results)
		if r.Answer != c.answer || !strings.HasSuffix(r.Nodes, c.nodes) || r.Code() != c.code {
			t.Errorf("got %s, %d, %q; want %s, %d, %q", r.Answer, r.Code(), r.Nodes, c.answer, c.code, c.nodes)
		}
	}
}

// What no policy covers needs no signature, and the answer is none about mirrors.
func TestNotCovered(t *testing.T) {
	var out bytes.Buffer
	r := New(Config{Nodes: "nodes"}, nil)
	r.Text(&out)
	if want := "\nnodes ask for no signature of this release: no image policy covers an image of it\n"; out.String() != want || r.Answer != unknown || r.Code() != failure.ExitOK {
		t.Errorf("%q, %s, %d", out.String(), r.Answer, r.Code())
	}
}

// An image of which nobody knows is no refusal, and no consent.
func TestUnknown(t *testing.T) {
	for _, c := range []struct {
		cfg    Config
		answer string
		code   int
		nodes  string
	}{
		{Config{Images: 1, Unknown: 1}, unknown, failure.ExitUnreachable, ": unknown, because 1 image of it could not be asked for"},
		{Config{Images: 2, Unknown: 1, Absent: 1}, no, failure.ExitNotFound, ": no, because 1 image of it cannot be had from any of them; 1 image of it could not be asked for"},
	} {
		r := New(c.cfg, []Result{result("x", "m.corp", Good)})
		if r.Answer != c.answer || r.Code() != c.code || !strings.HasSuffix(r.Nodes, c.nodes) {
			t.Errorf("%+v: %s, %d, %q", c.cfg, r.Answer, r.Code(), r.Nodes)
		}
	}
}

// What registries and signatures say does nothing to a terminal, and makes no line.
func TestPrintsNothingElse(t *testing.T) {
	const forged = "nodes would accept everything"
	bad := result("x", "m.corp", Bad)
	bad.Err = &sigstore.Error{Errs: []error{errors.New("x\u009b2J\n" + forged)}, Others: 1}
	var out bytes.Buffer
	New(Config{Nodes: "nodes"}, []Result{bad}).Text(&out)
	if out.String() != output.Printable(out.String()) || strings.Contains(out.String(), "\n"+forged) || !strings.Contains(out.String(), "1 attachment behind the tag") {
		t.Errorf("%q", out.String())
	}
}
