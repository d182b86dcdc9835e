package verifier

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/verify"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Mode says what becomes of an answer whose signatures are refused.
type Mode string

const (
	// Next has the next endpoint asked; the refusal stands in the attempts. It is the
	// default. A GPG refusal of a digest ends the lookup, since every endpoint has the same.
	Next Mode = "next"
	// Node ends the lookup, as a node does: it asks no other mirror. So does a signature
	// that cannot be read.
	Node Mode = "node"
	// Warn uses the answer. The refusal stands in its [provider.Signatures].
	Warn Mode = "warn"
)

// ParseMode reads the name of a mode.
func ParseMode(s string) (Mode, error) {
	switch m := Mode(s); m {
	case Next, Node, Warn:
		return m, nil
	}
	return "", fmt.Errorf("mode %q: want %s, %s or %s", s, Next, Node, Warn)
}

// Config says which signatures are asked for.
type Config struct {
	// Trust are the keyrings that have to sign releases with GPG. The zero value asks for no
	// GPG signature.
	Trust verify.Trust
	// Stores are where GPG signatures are looked for, in order. Stores of the same names
	// count as the same in [Verifier.ID].
	Stores []verify.Store
	// Policies say which images need a sigstore signature. The zero value asks for none.
	Policies sigstore.Policies
	// Content reads signatures from the endpoint that a request names: the base of the
	// chain. It is required.
	Content provider.ContentProvider
	// Mode says what becomes of a refusal; "" is Next.
	Mode Mode
}

// Verifier is a [provider.Verifier]. It keeps nothing between calls.
type Verifier struct {
	cfg    Config
	node   node.Node
	id     string
	checks bool // GPG signatures
}

var _ provider.Verifier = (*Verifier)(nil)

// New returns a Verifier. It is an error if there is no Content, or an unknown Mode, or if
// keyrings are trusted and there is no store.
func New(cfg Config) (*Verifier, error) {
	if cfg.Mode == "" {
		cfg.Mode = Next
	}
	if _, err := ParseMode(string(cfg.Mode)); err != nil {
		return nil, err
	}
	checks := len(cfg.Trust.Keyrings()) > 0
	switch {
	case cfg.Content == nil:
		return nil, errors.New("no provider to read signatures with")
	case checks && len(cfg.Stores) == 0:
		return nil, errors.New("keyrings have to sign, and there is no store of signatures to look in")
	}
	h := sha256.New()
	part := func(s string) { fmt.Fprintf(h, "%d:%s", len(s), s) }
	part(string(cfg.Mode))
	part(cfg.Policies.ID())
	if checks {
		part(cfg.Trust.ID())
		for _, s := range cfg.Stores {
			part(s.Name())
		}
	}
	return &Verifier{
		cfg: cfg, node: node.Node{Base: cfg.Content, Policies: cfg.Policies},
		id: hex.EncodeToString(h.Sum(nil)[:16]), checks: checks,
	}, nil
}

// In returns v with the policies that the pods of a namespace meet.
func (v *Verifier) In(namespace string) *Verifier {
	cfg := v.cfg
	cfg.Policies = cfg.Policies.In(namespace)
	in, err := New(cfg)
	if err != nil { // cfg was checked
		return v
	}
	return in
}

// ID returns a hash of the trusted keys, the names of the stores, the policies and the
// mode. What is in the stores is no part of it: a signature that is added counts for the
// next answer that is not cached.
func (v *Verifier) ID() string { return v.id }

// Verify judges served; see [provider.Verifier]. In mode Warn an error says that ctx has
// ended.
func (v *Verifier) Verify(ctx context.Context, req provider.Request, served provider.Served) (*provider.Signatures, error) {
	out := &provider.Signatures{Verifier: v.id}
	if v.checks && served.Release {
		check := provider.SignatureCheck{Kind: provider.GPG}
		check.Signers, check.Err = v.gpg(ctx, req, served)
		if err := v.consider(ctx, out, check); err != nil {
			return nil, err
		}
	}
	check := provider.SignatureCheck{Kind: provider.Sigstore}
	covered := false
	covered, check.Signers, check.Err = v.sigstore(ctx, req, served)
	if covered {
		if err := v.consider(ctx, out, check); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// consider adds a check to out, or returns why the answer must not be used.
func (v *Verifier) consider(ctx context.Context, out *provider.Signatures, check provider.SignatureCheck) error {
	if check.Err != nil && (v.cfg.Mode != Warn || ctx.Err() != nil) {
		return check.Err
	}
	out.Checks = append(out.Checks, check)
	return nil
}

func (v *Verifier) gpg(ctx context.Context, req provider.Request, served provider.Served) ([]provider.Signer, error) {
	verdict, err := v.cfg.Trust.Verify(ctx, served.Named, v.cfg.Stores...)
	if err != nil {
		e := &provider.Error{Op: "verifying the GPG signature", Ref: req.Image, Class: provider.ClassSignature, Err: err}
		if ctx.Err() != nil { // while a store was asked, which is no matter of the endpoint
			e.Class, e.Elsewhere = provider.ClassOf(ctx.Err()), true
		} else {
			e.Final = v.cfg.Mode == Node || served.Image.Digest() != "" && v.cfg.Mode == Next
		}
		return nil, e
	}
	var out []provider.Signer
	for _, s := range verdict.Signers {
		out = append(out, provider.Signer{
			Name:     strings.TrimSpace(s.Key.Fingerprint + " " + s.Key.Name),
			Identity: s.Identity, Created: s.Created, From: s.Origin,
		})
	}
	return out, nil
}

func (v *Verifier) sigstore(ctx context.Context, req provider.Request, served provider.Served) (covered bool, by []provider.Signer, err error) {
	scope, accepted, err := v.node.Signatures(ctx, req, served.Image.Normalize(), served.Digest)
	if scope == "" {
		return false, nil, nil
	}
	for _, a := range accepted {
		by = append(by, provider.Signer{Name: a.Origin, Identity: a.Identity, From: req.Image.Name() + ":" + sigstore.Tag(served.Digest)})
	}
	return true, by, v.refusal(ctx, req, err)
}

// refusal returns why a sigstore signature is not accepted, or could not be read.
func (v *Verifier) refusal(ctx context.Context, req provider.Request, err error) error {
	if err == nil {
		return nil
	}
	e := &provider.Error{Op: "verifying the sigstore signature", Ref: req.Image, Class: provider.ClassOf(err), Err: err}
	if _, ok := errors.AsType[*sigstore.Error](err); ok || e.Class == provider.ClassMalformed {
		e.Class = provider.ClassSignature
	}
	if of, ok := errors.AsType[*provider.Error](err); ok {
		e.Status, e.RetryAfter, e.Elsewhere = of.Status, of.RetryAfter, of.Elsewhere
	}
	e.Final = v.cfg.Mode == Node && ctx.Err() == nil
	return e
}
