package sigstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Requirement says who has to sign: one of PublicKey, Fulcio and PKI. It is immutable.
type Requirement struct {
	PublicKey crypto.PublicKey   // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	Rekor     []*ecdsa.PublicKey // of the transparency log; required by Fulcio, optional for PublicKey
	Fulcio    *Fulcio
	PKI       *PKI
	Identity  Identity // how the identity in a signature is compared
	Origin    string   // the policy, for a person
}

// Fulcio is a root of trust of certificates that live for minutes. A signature counts if it
// was logged in Rekor while its certificate was valid.
type Fulcio struct {
	CAs        []*x509.Certificate // the authorities that issue the certificates
	OIDCIssuer string              // who identified the signer, a URL
	Email      string              // the signer
}

// PKI is a root of trust of an authority of one's own. Email, Hostname, or both name the
// subject.
type PKI struct {
	Roots         []*x509.Certificate // the authorities that are trusted
	Intermediates []*x509.Certificate // known ones between a root and a signer
	Email         string              // the signer, "" for any
	Hostname      string              // the signer, "" for any
}

// Error says why an image does not meet a requirement. It matches [ErrNoSignature] or
// [ErrRejected].
type Error struct {
	Image  imageref.Ref // the logical reference
	Policy string       // the origin of the requirement
	Errs   []error      // why each signature is not accepted
	Others int          // attachments that are no signatures
	// Unread says why a node does not look for signatures at the endpoint, "" if it does.
	Unread string
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", e.Image, e.kind())
	for _, err := range e.Errs {
		fmt.Fprintf(&b, "; %v", err)
	}
	if e.Unread != "" {
		fmt.Fprintf(&b, "; %s", e.Unread)
	}
	if e.Others > 0 {
		fmt.Fprintf(&b, "; %d attachments are no signatures that nodes read", e.Others)
	}
	if e.Policy != "" {
		fmt.Fprintf(&b, " (%s)", e.Policy)
	}
	return b.String()
}

func (e *Error) kind() error {
	if len(e.Errs) == 0 {
		return ErrNoSignature
	}
	return ErrRejected
}

// Unwrap returns the sentinel and the reasons.
func (e *Error) Unwrap() []error { return append([]error{e.kind()}, e.Errs...) }

// Accepted describes the signature that met a requirement.
type Accepted struct {
	Identity string // the image reference in the signature
	Origin   string // of the requirement
}

// Verify looks for a signature that meets the requirement. image is the logical reference,
// as a pod names it, digest the one of the manifest of the chosen platform, and all are the
// attachments from the repository that served it. One accepted signature is enough; the
// error is an [*Error].
func (r Requirement) Verify(image imageref.Ref, digest string, all []Attachment) (Accepted, error) {
	e := &Error{Image: image, Policy: r.Origin}
	for _, a := range all {
		if a.MediaType != SignatureMediaType {
			e.Others++
			continue
		}
		p, err := r.accept(image, digest, a)
		if err == nil {
			return Accepted{p.identity, r.Origin}, nil
		}
		e.Errs = append(e.Errs, err)
	}
	return Accepted{}, e
}

func (r Requirement) accept(image imageref.Ref, digest string, a Attachment) (payload, error) {
	encoded, ok := a.Annotations[signatureAnnotation]
	if !ok {
		return payload{}, fmt.Errorf("the layer has no annotation %s", signatureAnnotation)
	}
	signature, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return payload{}, fmt.Errorf("the annotation %s: %w", signatureAnnotation, err)
	}
	key, err := r.signer(a, signature)
	if err != nil {
		return payload{}, err
	}
	if err := verifyBlob(key, a.Payload, signature); err != nil {
		return payload{}, err
	}
	p, err := parsePayload(a.Payload)
	switch {
	case err != nil:
		return payload{}, fmt.Errorf("the signed document: %w", err)
	case p.digest != digest:
		return payload{}, fmt.Errorf("the signature is for another digest, %.100q", p.digest)
	}
	return p, r.Identity.check(image, p.identity)
}

// signer returns the key that the signature has to be of.
func (r Requirement) signer(a Attachment, signature []byte) (crypto.PublicKey, error) {
	set, logged := a.Annotations[rekorAnnotation]
	if len(r.Rekor) > 0 && !logged {
		return nil, fmt.Errorf("the signature has no annotation %s, so nothing says that it was logged", rekorAnnotation)
	}
	switch {
	case r.PublicKey != nil && r.Fulcio == nil && r.PKI == nil:
		if len(r.Rekor) > 0 {
			der, err := x509.MarshalPKIXPublicKey(r.PublicKey)
			if err != nil {
				return nil, err
			}
			own := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
			if _, err := verifySET(r.Rekor, []byte(set), own, signature, a.Payload); err != nil {
				return nil, fmt.Errorf("the annotation %s: %w", rekorAnnotation, err)
			}
		}
		return r.PublicKey, nil
	case r.Fulcio != nil && r.PublicKey == nil && r.PKI == nil && len(r.Rekor) > 0:
		c, err := parseChain(a)
		if err != nil {
			return nil, err
		}
		at, err := verifySET(r.Rekor, []byte(set), []byte(a.Annotations[certificateAnnotation]), signature, a.Payload)
		if err != nil {
			return nil, fmt.Errorf("the annotation %s: %w", rekorAnnotation, err)
		}
		return c.verifyFulcio(r.Fulcio, at)
	case r.PKI != nil && r.PublicKey == nil && r.Fulcio == nil && len(r.Rekor) == 0:
		c, err := parseChain(a)
		if err != nil {
			return nil, err
		}
		return c.verifyPKI(r.PKI)
	}
	return nil, errors.New("this combination of roots of trust is not supported")
}

// verifyBlob verifies a signature as cosign makes it: with SHA-256, or of the document
// itself for Ed25519.
func verifyBlob(key crypto.PublicKey, document, signature []byte) error {
	sum := sha256.Sum256(document)
	ok := false
	switch key := key.(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(key, sum[:], signature)
	case ed25519.PublicKey:
		ok = ed25519.Verify(key, document, signature)
	default:
		return fmt.Errorf("keys of type %T are not supported", key)
	}
	if !ok {
		return errors.New("the signature is not by the key that the policy names")
	}
	return nil
}
