package check

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// SignatureConfig configures [Signatures].
type SignatureConfig struct {
	// Node reads one endpoint, and knows the image policies. Its Base is required.
	Node node.Node
	// Rules say where a registry may lead a request. Required.
	Rules *policy.Rules
	// Credentials are used for every request.
	Credentials provider.Credentials
	// PerRegistry bounds the manifests that are asked about at one registry at a time; 16 if
	// zero.
	PerRegistry int
	// Request bounds the time for one manifest's signatures; 30 s if zero.
	Request time.Duration
	// Done, if not nil, is called with each result when it is known, by one goroutine at a
	// time.
	Done func(Signed)
}

// Manifest is the manifest of one platform at one endpoint.
type Manifest struct {
	// Name is the caller's name for the image.
	Name string
	// Image is the canonical reference, by which image policies choose.
	Image imageref.Ref
	// At is the endpoint. That it has the manifest is the caller's to know.
	At policy.Candidate
	// Digest is that of the manifest.
	Digest string
}

// Signed is what a node would find of the signatures of a manifest.
type Signed struct {
	Manifest
	Scope    string              // of the image policies that apply, "" for none
	Accepted []sigstore.Accepted // one for each requirement of Scope
	// Err is why a node would not run the image, nil if it would. A refusal is a
	// [*sigstore.Error] or a [*node.RejectedError].
	Err error
}

// Signatures looks for the signatures of many manifests at the same time, and returns the
// results in their order. Each costs one request for the signatures' manifest and one for
// each signature, and nothing where no image policy applies. Registries that are busy are
// asked again, as in [Run], and ctx ends it in the same way.
func Signatures(ctx context.Context, cfg SignatureConfig, all []Manifest) ([]Signed, error) {
	if cfg.Node.Base == nil || cfg.Rules == nil {
		return nil, errors.New("check: Node.Base and Rules are required")
	}
	if cfg.PerRegistry < 0 || cfg.Request < 0 {
		return nil, errors.New("check: PerRegistry and Request must not be negative")
	}
	g := newGates(nil, cmp.Or(cfg.PerRegistry, 16), cmp.Or(cfg.Request, 30*time.Second))
	results := make([]Signed, len(all))
	queues := make(map[string][]int)
	for i, m := range all {
		results[i].Manifest = m
		queues[m.At.Ref.Registry()] = append(queues[m.At.Ref.Registry()], i)
	}
	var mu sync.Mutex // for Done
	work(queues, g.size, func(i int) {
		r := &results[i]
		r.Scope, r.Accepted, r.Err = cfg.signatures(ctx, g, r.Manifest)
		if cfg.Done != nil {
			mu.Lock()
			defer mu.Unlock()
			cfg.Done(*r)
		}
	})
	return results, ctx.Err()
}

func (cfg *SignatureConfig) signatures(ctx context.Context, g *gates, m Manifest) (scope string, accepted []sigstore.Accepted, err error) {
	var refusal error
	err = g.do(ctx, m.At.Ref, func(ctx context.Context) error {
		req := provider.Request{Image: m.At.Ref, Insecure: m.At.Insecure, Credentials: cfg.Credentials, Rules: cfg.Rules}
		refusal = nil
		scope, accepted, err = cfg.Node.Signatures(ctx, req, m.Image.Normalize(), m.Digest)
		_, rejected := errors.AsType[*node.RejectedError](err)
		if _, refused := errors.AsType[*sigstore.Error](err); refused || rejected {
			refusal = err // and nothing that the registry failed at
			return nil
		}
		return err
	})
	if err == nil {
		err = refusal
	}
	return scope, accepted, err
}
