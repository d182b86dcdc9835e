package verifyreport

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// What stores and endpoints can say about one kind of signature.
var (
	gpg = map[string]error{
		Good: nil, Missing: &verify.Error{}, Bad: &verify.Error{Rejected: []verify.Rejection{{Err: errors.New("x")}}},
		Failed: &verify.Error{Stores: []verify.StoreError{{Store: "remote", Err: errors.New("x")}}},
	}
	sig = map[string]error{
		Good: nil, Missing: &sigstore.Error{}, Bad: &sigstore.Error{Errs: []error{errors.New("x")}},
		Failed: &provider.Error{Class: provider.ClassServer},
	}
)

// add adds a check of each kind; "" is none.
func (r *Report) add(ofGPG, ofSigstore string) {
	if ofGPG != "" {
		var v verify.Verdict
		if ofGPG == Good {
			v.Signers = []verify.Signer{{Keyring: "k"}}
		}
		r.AddGPG(v, gpg[ofGPG], func(store string) bool { return store == "remote" })
	}
	if ofSigstore != "" {
		e := node.Endpoint{Candidate: policy.Candidate{Ref: imageref.MustParse("a.corp/b@" + digest), Mirror: true}, Err: sig[ofSigstore], Instance: digest, Stage: node.Signature}
		var required []sigstore.Requirement
		if ofSigstore == Good {
			e.Accepted, required = []sigstore.Accepted{{}}, []sigstore.Requirement{{PKI: &sigstore.PKI{Email: "x"}}}
		}
		r.AddEndpoint(e, required, false)
	}
}

// The exit code by what is required. A refused signature is never outvoted.
func TestCode(t *testing.T) {
	for _, c := range []struct {
		require, gpg, sigstore string
		want                   int
		status, nodes          string
	}{
		{GPG, Good, "", failure.ExitOK, Good, ""},
		{GPG, Missing, "", failure.ExitNotFound, Missing, ""},
		{GPG, Bad, "", failure.ExitDigest, Bad, ""},
		{GPG, Failed, "", failure.ExitUnreachable, Failed, ""},
		{Sigstore, "", Good, failure.ExitOK, Good, "yes"},
		{Sigstore, "", Missing, failure.ExitNotFound, Missing, "no, because"},
		{Sigstore, "", Bad, failure.ExitDigest, Bad, "no, because"},
		{Sigstore, "", Failed, failure.ExitUnreachable, Failed, "unknown, because"},
		{Both, Good, Good, failure.ExitOK, Good, "yes"},
		{Both, Good, Missing, failure.ExitNotFound, Missing, "no, because"},
		{Both, Missing, Good, failure.ExitNotFound, Missing, "yes"},
		{Both, Missing, Bad, failure.ExitDigest, Bad, "no, because"},
		{Any, Good, "", failure.ExitOK, Good, ""},
		{Any, "", Missing, failure.ExitNotFound, Missing, "no, because"},
		{Any, Good, Missing, failure.ExitOK, Good, "no, because"},
		{Any, Missing, Good, failure.ExitOK, Good, "yes"},
		{Any, Failed, Good, failure.ExitOK, Good, "yes"},
		{Any, Missing, Missing, failure.ExitNotFound, Missing, "no, because"},
		{Any, Missing, Failed, failure.ExitUnreachable, Failed, "unknown"},
		{Any, Good, Bad, failure.ExitDigest, Bad, "no, because"},
		{Any, Bad, Good, failure.ExitDigest, Bad, "yes"},
	} {
		r := New("quay.io/a/b@"+digest, c.require)
		r.add(c.gpg, c.sigstore)
		r.Conclude("nodes")
		if r.Code() != c.want || r.Status != c.status || !strings.Contains(r.Nodes, c.nodes) || (r.Nodes == "") != (c.nodes == "") {
			t.Errorf("%s, gpg %s, sigstore %s: %d, %s, %q; want %d, %s, %q", c.require, c.gpg, c.sigstore, r.Code(), r.Status, r.Nodes, c.want, c.status, c.nodes)
		}
	}
}

// One good mirror and one that lacks the signature: the answer is no.
func TestEveryMirrorCounts(t *testing.T) {
	r := New("quay.io/a/b@"+digest, Sigstore)
	r.add("", Good)
	r.add("", Missing)
	r.Conclude("nodes")
	if r.Code() != failure.ExitNotFound || !strings.HasPrefix(r.Nodes, "nodes would accept this release from these mirrors: no, because a.corp/b has no sha256-") {
		t.Errorf("%d, %q", r.Code(), r.Nodes)
	}
}

// An endpoint that says that it lacks the image is passed over. One that does not answer may
// be the one that nodes take the image from later: what the next one has is not the answer.
func TestPassedOver(t *testing.T) {
	for _, c := range []struct {
		first  provider.Class
		second string
		want   int
		nodes  string
	}{
		{provider.ClassNotFound, Good, failure.ExitOK, "these mirrors: yes"},
		{provider.ClassNotFound, Missing, failure.ExitNotFound, "these mirrors: no, because a.corp/b has no sha256-"},
		{provider.ClassUnreachable, Good, failure.ExitUnreachable, "these mirrors: unknown, because first.corp/b: unreachable; until"},
		{provider.ClassUnauthorized, Good, failure.ExitUnauthorized, "; until that changes, nodes take it from a.corp/b and accept it"},
		{provider.ClassServer, Missing, failure.ExitUnreachable, "; until that changes, nodes take it from a.corp/b and refuse it, because a.corp/b has no sha256-"},
		{provider.ClassServer, Bad, failure.ExitDigest, "; until that changes, nodes take it from a.corp/b and refuse it, because a.corp/b: x"},
		{provider.ClassUnreachable, Failed, failure.ExitUnreachable, "; a.corp/b: "},
	} {
		r := New("quay.io/a/b@"+digest, Sigstore)
		first := node.Endpoint{
			Candidate: policy.Candidate{Ref: imageref.MustParse("first.corp/b@" + digest), Mirror: true},
			Err:       &provider.Error{Class: c.first},
		}
		r.AddEndpoint(first, nil, true)
		r.add("", c.second)
		r.Conclude("nodes")
		if r.Code() != c.want || !strings.Contains(r.Nodes, c.nodes) {
			t.Errorf("%s, %s: %d, %q; want %d, %q", c.first, c.second, r.Code(), r.Nodes, c.want, c.nodes)
		}
		if passed := r.Checks[0].Status == Passed; passed != (c.first == provider.ClassNotFound) {
			t.Errorf("%s, %s: %s", c.first, c.second, r.Checks[0].Status)
		}
	}
}

// What a store or a registry says does nothing to a terminal, and makes no line.
func TestPrintsNothingElse(t *testing.T) {
	const forged = "gpg  good  everything"
	r := New("quay.io/a/b@"+digest, Both)
	evil := errors.New("x\u009b2J\n" + forged)
	r.AddGPG(verify.Verdict{}, &verify.Error{Rejected: []verify.Rejection{{Origin: "\u202e", Err: evil}}}, func(string) bool { return false })
	r.AddEndpoint(node.Endpoint{Candidate: policy.Candidate{Ref: imageref.MustParse("a.corp/b@" + digest)}, Err: &sigstore.Error{Errs: []error{evil}}, Hint: "\n" + forged}, nil, false)
	r.Conclude("nodes")
	for _, format := range []output.Format{output.Text, output.JSON, output.YAML, output.JUnit} {
		var out bytes.Buffer
		if err := output.Write(&out, format, r, r.Text); err != nil {
			t.Fatal(err)
		}
		if out.String() != output.Printable(out.String()) || format == output.Text && strings.Contains(out.String(), "\n"+forged) {
			t.Errorf("%s: %q", format.String(), out.String())
		}
	}
}
