package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Node is a node's view of the registries. It is safe for concurrent use if Base is.
type Node struct {
	// Base reads from one endpoint, the one that a request names.
	Base provider.ContentProvider
	// Policies say which images have to be signed. The zero value requires nothing.
	Policies sigstore.Policies
	// Admission says which images run at all. The zero value: all.
	Admission Admission
	// Reads reports whether nodes look for signatures beside an image at an endpoint, and
	// which entry of their registries.d says so, "" for none, see
	// [github.com/mirrorchain/mirrorchain/chain/node/nodefiles.RegistriesD]. Nil: they
	// look at every endpoint of an image that Policies cover, which is what the
	// machine-config operator writes.
	Reads func(at imageref.Ref) (reads bool, entry string)
}

// Stage is how far a pull came before it failed.
type Stage uint8

// Stages of a pull, in order.
const (
	Manifest  Stage = iota // reading what the pull spec names; after a failure a node asks the next endpoint
	Instance               // reading the manifest of the platform
	Signature              // reading and checking signatures
	Done                   // the image may run
)

var stages = [...]string{"manifest", "instance", "signature", "done"}

// String returns a short stable word.
func (s Stage) String() string {
	if int(s) < len(stages) {
		return stages[s]
	}
	return "unknown"
}

// Endpoint is what a node would find at one endpoint.
type Endpoint struct {
	policy.Candidate
	Stage    Stage               // Done, or where the pull failed
	Digest   string              // of what the pull spec names there, "" if it could not be read
	Instance string              // of the platform's manifest, "" if it could not be read
	Scope    string              // of the image policies that apply, "" for none
	Accepted []sigstore.Accepted // one for each requirement of Scope
	Hint     string              // what explains a missing signature, "" for nothing
	Err      error               // why the pull failed, nil for Done
}

// Pull asks the endpoints that rules name for req.Image, as a node would, and returns
// those that were asked. The last one is where the node would pull from, or fail. An
// error says that no endpoint was asked: the request or the rules are wrong, or policy
// forbids every endpoint.
func (n Node) Pull(ctx context.Context, req provider.Request) ([]Endpoint, error) {
	candidates, err := n.candidates(req)
	if err != nil {
		return nil, err
	}
	var asked []Endpoint
	for _, c := range candidates {
		e := n.At(ctx, req, c)
		asked = append(asked, e)
		if e.Stage > Manifest || ctx.Err() != nil {
			break
		}
	}
	return asked, nil
}

func (n Node) candidates(req provider.Request) ([]policy.Candidate, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if req.Rules == nil {
		return nil, provider.ErrNoRules
	}
	candidates, err := req.Rules.Candidates(req.Image)
	if err == nil && len(candidates) == 0 {
		err = &provider.Error{Op: "looking for an endpoint", Ref: req.Image, Class: provider.ClassForbidden}
	}
	return candidates, err
}

// At asks one endpoint. req.Image is the logical reference, the one in a pod.
func (n Node) At(ctx context.Context, req provider.Request, c policy.Candidate) Endpoint {
	e := Endpoint{Candidate: c}
	logical := req.Image.Normalize()
	req.Image, req.Insecure = c.Ref, c.Insecure
	top, err := n.Base.Content(ctx, req)
	if err != nil {
		e.Err = err
		return e
	}
	e.Digest, e.Instance = top.Digest(), top.Digest()
	if top.Platforms() != nil {
		e.Stage = Instance
		if e.Instance, e.Err = n.instance(ctx, req, top); e.Err != nil {
			e.Instance = ""
			return e
		}
	}
	e.Stage = Signature
	if e.Scope, e.Accepted, e.Err = n.Signatures(ctx, req, logical, e.Instance); e.Err != nil {
		if refused, ok := errors.AsType[*sigstore.Error](e.Err); ok && refused.Unread == "" && len(refused.Errs) == 0 {
			e.Hint = n.hint(ctx, req, e.Digest, e.Instance)
		}
		return e
	}
	e.Stage = Done
	return e
}

// Signatures judges the signatures of a manifest that the endpoint has which req.Image
// names. logical is the reference in a pod, and digest that of the manifest, which is of
// one platform. scope is that of the policies that apply, "" for none, of which nobody is
// asked. It costs a request for the signatures' manifest and one for each signature. A
// refusal is a [*sigstore.Error], or a [*RejectedError], for which nobody is asked.
func (n Node) Signatures(ctx context.Context, req provider.Request, logical imageref.Ref, digest string) (scope string, accepted []sigstore.Accepted, err error) {
	scope, required, err := n.require(logical)
	if len(required) > 0 {
		accepted, err = n.verify(ctx, req, logical, digest, required)
	}
	return scope, accepted, err
}

// instance reads the manifest of the platform, at the same endpoint.
func (n Node) instance(ctx context.Context, req provider.Request, top provider.Content) (digest string, err error) {
	i := req.Platform.Choose(top.Platforms())
	if i < 0 {
		return "", &provider.Error{
			Op: "reading the index", Ref: req.Image, Class: provider.ClassNotFound,
			Err: fmt.Errorf("it has nothing for %s", req.Platform.OrDefault()),
		}
	}
	digest = top.Platforms()[i].Digest
	if req.Image, err = req.Image.WithDigest(digest); err != nil {
		return "", err
	}
	if _, err = n.Base.Content(ctx, req); err != nil {
		return "", err
	}
	return digest, nil
}

func (n Node) verify(ctx context.Context, req provider.Request, logical imageref.Ref, digest string, required []sigstore.Requirement) ([]sigstore.Accepted, error) {
	var attachments []sigstore.Attachment
	unread := n.unread(req.Image, logical)
	if unread == "" {
		var err error
		if attachments, err = n.signatures(ctx, req, digest); err != nil {
			return nil, err
		}
	}
	var out []sigstore.Accepted
	for _, r := range required {
		a, err := r.Verify(logical, digest, attachments)
		if refused, ok := errors.AsType[*sigstore.Error](err); ok {
			refused.Unread = unread
		}
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// unread says why nodes do not look for signatures at an endpoint, "" if they do.
func (n Node) unread(at, logical imageref.Ref) string {
	if n.Reads == nil {
		return ""
	}
	reads, entry := n.Reads(at)
	if reads {
		return ""
	}
	why := "nodes look for no signatures on " + at.Name() + ": "
	if entry != "" {
		why += "use-sigstore-attachments is false for " + entry
	} else {
		why += "no entry of their registries.d sets use-sigstore-attachments for it"
	}
	if of, source := n.Reads(logical); of && at.Name() != logical.Name() {
		why += "; that it is set for the source, by " + source + ", does not count for a mirror"
	}
	return why
}

// signatures reads what stands behind the tag of signatures. Nothing there is no error;
// anything else that goes wrong is, and fails the pull.
func (n Node) signatures(ctx context.Context, req provider.Request, digest string) ([]sigstore.Attachment, error) {
	c, err := n.tagged(ctx, req, sigstore.Tag(digest))
	if provider.ClassOf(err) == provider.ClassNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	attachments, err := sigstore.ParseManifest(c.MediaType(), c.Manifest())
	if err != nil {
		return nil, &provider.Error{Op: "reading the signatures", Ref: c.PulledFrom(), Class: provider.ClassMalformed, Err: err}
	}
	for i := range attachments {
		a := &attachments[i]
		if a.Payload, err = provider.ReadBlob(ctx, c, a.Digest, a.Size, a.Size); err != nil {
			return nil, err
		}
	}
	return attachments, nil
}

func (n Node) tagged(ctx context.Context, req provider.Request, tag string) (provider.Content, error) {
	ref, err := imageref.ParseCanonical(req.Image.Name() + ":" + tag)
	if err != nil {
		return nil, err
	}
	req.Image = ref
	return n.Base.Content(ctx, req)
}

// hint looks for signatures where nodes do not look.
func (n Node) hint(ctx context.Context, req provider.Request, top, instance string) string {
	there := func(tag string) bool {
		_, err := n.tagged(ctx, req, tag)
		return err == nil
	}
	referrers := sigstore.Tag(instance)
	referrers = referrers[:len(referrers)-len(".sig")]
	switch {
	case top != instance && there(sigstore.Tag(top)):
		return "only the list is signed; nodes look for the signature of the manifest of their platform, " + instance
	case there(referrers):
		return "there are attachments in the format of OCI referrers, which nodes do not read; sign with the old format (cosign sign --new-bundle-format=false)"
	}
	return ""
}
