package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Verifier judges the signatures of what endpoints serve. The layer Verify of package
// chain puts one into requests, and what asks endpoints there has each answer judged.
// Package chain/verifier has an implementation. Implementations are immutable, and safe
// for concurrent use.
type Verifier interface {
	// ID identifies all that a verdict depends on: keys, policies, places of signatures,
	// and what becomes of a refusal. It is not empty. Answers are cached by it.
	ID() string
	// Verify judges served. req is as the endpoint was asked: Image is the candidate. An
	// error means that served must not be used. It is of [ClassSignature] where the
	// signatures are to blame, and [Error].Final where no other endpoint may be asked.
	Verify(ctx context.Context, req Request, served Served) (*Signatures, error)
}

// Served is what an endpoint served for a request.
type Served struct {
	Image   imageref.Ref // what was asked for, before any mirror
	Digest  string       // of the manifest that was read, of one platform
	Named   string       // the digest that Image names there: that of the index, or Digest
	Release bool         // it is a release
}

// Signatures says what a [Verifier] found. Do not modify it.
type Signatures struct {
	// Verifier is the ID of the Verifier.
	Verifier string
	// Checks has one entry for each kind of signature that was asked for. It is empty where
	// none was.
	Checks []SignatureCheck
}

// SignatureCheck is the verdict on one kind of signature.
type SignatureCheck struct {
	Kind    string   // "gpg" or "sigstore"
	Signers []Signer // who signed; empty with Err
	// Err says why the signatures are refused; nil if they are good. A release with a
	// refusal is only served by a Verifier that warns.
	Err error
}

// Kinds of signatures.
const (
	GPG      = "gpg"      // of releases, which the cluster-version operator asks for
	Sigstore = "sigstore" // of images, which nodes ask for
)

// Signer says who signed.
type Signer struct {
	Name     string    // the key and its owner, or the image policy that is met
	Identity string    // the image reference that was signed
	Created  time.Time // when it was signed; zero if the signature does not say
	From     string    // where the signature was found
}

// Err returns the first refusal, nil if there is none. It may be called with nil.
func (s *Signatures) Err() error {
	if s != nil {
		for _, c := range s.Checks {
			if c.Err != nil {
				return c.Err
			}
		}
	}
	return nil
}

// String says in one line who signed, or why not. It is "" where nothing was asked for.
func (s *Signatures) String() string {
	if s == nil {
		return ""
	}
	var parts []string
	for _, c := range s.Checks {
		if c.Err != nil {
			parts = append(parts, fmt.Sprintf("%s refused: %v", c.Kind, c.Err))
			continue
		}
		for _, by := range c.Signers {
			parts = append(parts, fmt.Sprintf("%s signed by %s", c.Kind, by))
		}
	}
	return strings.Join(parts, "; ")
}

// String returns the signer in one line.
func (s Signer) String() string {
	text := s.Name
	if !s.Created.IsZero() {
		text += " on " + s.Created.UTC().Format(time.DateOnly)
	}
	if s.Identity != "" {
		text += " as " + s.Identity
	}
	if s.From != "" {
		text += ", found in " + s.From
	}
	return text
}
