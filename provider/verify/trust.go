package verify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sentinels for [errors.Is].
var (
	// ErrInvalidDigest says that there is no digest to verify. Nothing was asked.
	ErrInvalidDigest = errors.New("invalid digest")
	// ErrNoSignature says that no store has a signature for the digest.
	ErrNoSignature = errors.New("no signature found")
	// ErrRejected says that there are signatures, and that they are not enough.
	ErrRejected = errors.New("not signed by everybody who is trusted")
)

// Trust is the set of keyrings that have to sign. Each of them needs one good signature.
// It is immutable and safe for concurrent use. The zero Trust verifies nothing.
type Trust struct{ keyrings []Keyring }

// NewTrust makes a Trust of keyrings. It fails for none, and for two with one name.
func NewTrust(keyrings ...Keyring) (Trust, error) {
	if len(keyrings) == 0 {
		return Trust{}, errors.New("no keyring to verify signatures with")
	}
	for i, k := range keyrings {
		if len(k.keys) == 0 {
			return Trust{}, fmt.Errorf("keyring %q was not made by ParseKeyring", k.name)
		}
		if slices.ContainsFunc(keyrings[:i], func(other Keyring) bool { return other.name == k.name }) {
			return Trust{}, fmt.Errorf("two keyrings have the name %q", k.name)
		}
	}
	sorted := slices.Clone(keyrings)
	slices.SortFunc(sorted, func(a, b Keyring) int { return strings.Compare(a.name, b.name) })
	return Trust{sorted}, nil
}

// Keyrings returns the keyrings, sorted by name.
func (t Trust) Keyrings() []Keyring { return slices.Clone(t.keyrings) }

// ID returns a hash of the names and the keys: the same trust has the same ID in any
// process.
func (t Trust) ID() string {
	h := sha256.New()
	for _, k := range t.keyrings {
		sum := k.hash()
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Verdict says who signed a digest.
type Verdict struct {
	Digest  string
	Signers []Signer // one for each keyring, sorted by its name
	Notes   []string // what is no reason to refuse, such as an expired key
}

// Signer says who signed, and where the signature was found.
type Signer struct {
	Keyring     string    // its name
	Key         Key       // the primary key
	Subkey      string    // the fingerprint of the subkey that signed, "" for the primary key
	Created     time.Time // when it was signed
	Identity    string    // the image reference in the signature; no rule compares it
	Store       string    // the name of the store
	Origin      string    // the place in the store
	SignatureV3 bool      // the packet is of OpenPGP's version 3
}

// Error says why a digest is not verified. It matches [ErrNoSignature] or [ErrRejected].
type Error struct {
	Digest   string
	Missing  []string     // the names of keyrings without a good signature
	Rejected []Rejection  // signatures that are no good
	Stores   []StoreError // stores that could not be read
}

// Rejection is a signature that a keyring does not accept.
type Rejection struct {
	Origin  string // the signature's
	Keyring string // its name
	Err     error  // the reason
}

// StoreError is a store that could not be read, or not to its end.
type StoreError struct {
	Store string // its name
	Err   error  // the reason
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", e.Digest, e.kind())
	if len(e.Rejected) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(e.Missing, ", "))
	}
	for _, r := range e.Rejected {
		fmt.Fprintf(&b, "; %s, with %s: %v", r.Origin, r.Keyring, r.Err)
	}
	for _, s := range e.Stores {
		fmt.Fprintf(&b, "; %s: %v", s.Store, s.Err)
	}
	return b.String()
}

func (e *Error) kind() error {
	if len(e.Rejected) == 0 {
		return ErrNoSignature
	}
	return ErrRejected
}

// Unwrap returns the sentinel, the reasons for rejections and the errors of stores.
func (e *Error) Unwrap() []error {
	out := []error{e.kind()}
	for _, r := range e.Rejected {
		out = append(out, r.Err)
	}
	for _, s := range e.Stores {
		out = append(out, s.Err)
	}
	return out
}

// MaxSignatures is how many signatures of one store are looked at for one digest.
const MaxSignatures = 9

// Verify asks the stores in order for signatures of digest until every keyring has a good
// one. It fails with [ErrInvalidDigest] before it asks anybody, with an [*Error], or with
// ctx.Err(). A store that cannot be read is passed over, and is in the error if the others
// are not enough.
func (t Trust) Verify(ctx context.Context, digest string, stores ...Store) (Verdict, error) {
	if len(t.keyrings) == 0 {
		return Verdict{}, errors.New("no keyring to verify signatures with")
	}
	if err := checkDigest(digest); err != nil {
		return Verdict{}, err
	}
	j := judgement{digest: digest, missing: slices.Clone(t.keyrings)}
	for _, s := range stores {
		seen := 0
		for sig, err := range s.Signatures(ctx, digest) {
			if err := ctx.Err(); err != nil {
				return Verdict{}, err
			}
			if err != nil {
				j.failed = append(j.failed, StoreError{s.Name(), err})
				continue
			}
			if seen++; seen > MaxSignatures {
				j.failed = append(j.failed, StoreError{s.Name(), fmt.Errorf("more than %d signatures; the rest is not looked at", MaxSignatures)})
				break
			}
			if j.consider(s.Name(), sig); len(j.missing) == 0 {
				return j.verdict(), nil
			}
		}
		if err := ctx.Err(); err != nil {
			return Verdict{}, err
		}
	}
	return Verdict{}, j.err()
}

// judgement is the state of one [Trust.Verify].
type judgement struct {
	digest   string
	missing  []Keyring
	signers  []Signer
	notes    []string
	rejected []Rejection
	failed   []StoreError
}

// consider moves the keyrings that accept sig from missing to signers.
func (j *judgement) consider(store string, sig Signature) {
	m, err := parseMessage(sig.Data)
	var identity string
	if err == nil {
		identity, err = checkPayload(m.document, j.digest)
	}
	var unsatisfied []Keyring
	for _, k := range j.missing {
		reason := err
		if reason == nil {
			var signer Signer
			if signer, reason = m.signer(k); reason == nil {
				signer.Identity, signer.Store, signer.Origin = identity, store, sig.Origin
				j.signers = append(j.signers, signer)
				j.note(signer)
				continue
			}
		}
		j.rejected = append(j.rejected, Rejection{sig.Origin, k.name, reason})
		unsatisfied = append(unsatisfied, k)
	}
	j.missing = unsatisfied
}

func (j *judgement) note(s Signer) {
	if e := s.Key.Expires; !e.IsZero() && e.Before(time.Now()) {
		j.notes = append(j.notes, fmt.Sprintf("key %s expired on %s; the cluster-version operator does not mind", s.Key.Fingerprint, e.UTC().Format(time.DateOnly)))
	}
}

func (j *judgement) verdict() Verdict {
	slices.SortFunc(j.signers, func(a, b Signer) int { return strings.Compare(a.Keyring, b.Keyring) })
	return Verdict{j.digest, j.signers, j.notes}
}

func (j *judgement) err() error {
	e := &Error{Digest: j.digest, Rejected: j.rejected, Stores: j.failed}
	for _, k := range j.missing {
		e.Missing = append(e.Missing, k.name)
	}
	return e
}

// signer verifies m with the keys of k.
func (m *message) signer(k Keyring) (Signer, error) {
	if !m.expires.IsZero() && m.expires.Before(time.Now()) {
		return Signer{}, fmt.Errorf("the signature expired on %s", m.expires.UTC().Format(time.DateOnly))
	}
	keys, revoked := k.signingKeys(m.keyID)
	if len(keys) == 0 {
		if revoked {
			return Signer{}, fmt.Errorf("its key %016X is revoked", m.keyID)
		}
		return Signer{}, fmt.Errorf("its key %016X is not among those that are trusted", m.keyID)
	}
	var err error
	for _, key := range keys {
		if err = m.verify(key.PublicKey); err != nil {
			continue
		}
		s := Signer{Keyring: k.name, Key: describe(key.Entity), Created: m.created, SignatureV3: m.version == 3}
		if key.PublicKey != key.Entity.PrimaryKey {
			s.Subkey = fingerprint(key.PublicKey)
		}
		return s, nil
	}
	return Signer{}, fmt.Errorf("it does not verify with key %016X: %w", m.keyID, err)
}
