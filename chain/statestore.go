package chain

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// StateStore is for programs that keep a cache on disk; others leave the State fields
// empty. It stores small facts for the next process: which credential has read what, and
// which release an image was. It holds no content. Package provider/diskcache has an
// implementation.
//
// Implementations are safe for concurrent use. They may lose entries, which then costs
// a request. They must never return an entry that somebody else has changed, since the
// chain does not verify it. Keys contain the identities of credentials, from which a weak
// password could be guessed, so they must not be stored as they are. Values contain
// nothing secret.
type StateStore interface {
	// Get returns the value that was last put under key.
	Get(key string) (value []byte, ok bool)
	// Put stores value under key and replaces what was there. A value is below 4 KiB.
	Put(key string, value []byte)
	// Delete removes the entry of key, because an endpoint denied what it grants. Get must
	// not return it any more in this process, nor in the next one wherever possible, even
	// if the disk is full.
	Delete(key string)
}

// record is one entry of a StateStore: which release an answer was.
type record struct {
	of    contentKey
	named string       // digest that the reference itself names; "" unknown
	from  imageref.Ref // endpoint that answered; zero unknown
	asked time.Time    // in seconds

	signatures *provider.Signatures // nil if nobody judged them
}

// recordJSON is a record as it is stored.
type recordJSON struct {
	Version      int    `json:"version"`
	Digest       string `json:"digest"`
	OS           string `json:"os,omitempty"`
	Architecture string `json:"architecture,omitempty"`
	Variant      string `json:"variant,omitempty"`
	Named        string `json:"named,omitempty"`
	From         string `json:"from,omitempty"`
	Asked        int64  `json:"asked"`

	Signatures *signaturesJSON `json:"signatures,omitempty"`
}

// signaturesJSON are signatures as they are stored. What was found is left out where it
// is long: the verdict is in the key.
type signaturesJSON struct {
	Verifier string      `json:"verifier"`
	Checks   []checkJSON `json:"checks,omitempty"`
}

type checkJSON struct {
	Kind    string            `json:"kind"`
	Signers []provider.Signer `json:"signers,omitempty"`
	Refused string            `json:"refused,omitempty"`
}

// maxSignatures is the size in bytes of what is stored of signatures.
const maxSignatures = 2 << 10

func storedSignatures(s *provider.Signatures) *signaturesJSON {
	if s == nil {
		return nil
	}
	j := &signaturesJSON{Verifier: s.Verifier}
	for _, c := range s.Checks {
		one := checkJSON{Kind: c.Kind, Signers: c.Signers}
		if c.Err != nil {
			one.Refused = c.Err.Error()
		}
		j.Checks = append(j.Checks, one)
	}
	if b, err := json.Marshal(j); err != nil || len(b) > maxSignatures {
		for i, c := range j.Checks {
			j.Checks[i] = checkJSON{Kind: c.Kind}
			if c.Refused != "" {
				j.Checks[i].Refused = "refused"
			}
		}
	}
	return j
}

func (j *signaturesJSON) signatures() *provider.Signatures {
	if j == nil {
		return nil
	}
	s := &provider.Signatures{Verifier: j.Verifier}
	for _, c := range j.Checks {
		one := provider.SignatureCheck{Kind: c.Kind, Signers: c.Signers}
		if c.Refused != "" {
			one.Err = &provider.Error{Class: provider.ClassSignature, Err: errors.New(c.Refused)}
		}
		s.Checks = append(s.Checks, one)
	}
	return s
}

const recordVersion = 1

// recordKey joins what identifies a record. No part contains a zero byte.
func recordKey(parts ...string) string { return strings.Join(parts, "\x00") }

func putRecord(state StateStore, key string, r record) {
	p := r.of.platform
	b, err := json.Marshal(recordJSON{
		Version: recordVersion, Digest: r.of.digest, OS: p.OS, Architecture: p.Architecture, Variant: p.Variant,
		Named: r.named, From: r.from.String(), Asked: r.asked.Unix(),
		Signatures: storedSignatures(r.signatures),
	})
	if err == nil {
		state.Put(key, b)
	}
}

func getRecord(state StateStore, key string) (record, bool) {
	b, ok := state.Get(key)
	if !ok {
		return record{}, false
	}
	return parseRecord(b)
}

// parseRecord parses a record. It rejects other versions, and records without a digest.
func parseRecord(b []byte) (record, bool) {
	var j recordJSON
	if json.Unmarshal(b, &j) != nil || j.Version != recordVersion || !isDigest(j.Digest) || j.Named != "" && !isDigest(j.Named) {
		return record{}, false
	}
	r := record{
		of:    contentKey{j.Digest, provider.Platform{OS: j.OS, Architecture: j.Architecture, Variant: j.Variant}},
		named: j.Named, asked: time.Unix(j.Asked, 0), signatures: j.Signatures.signatures(),
	}
	if j.From != "" {
		var err error
		if r.from, err = imageref.Parse(j.From); err != nil {
			return record{}, false
		}
	}
	return r, true
}

func isDigest(s string) bool {
	algorithm, sum, ok := strings.Cut(s, ":")
	return ok && algorithm != "" && sum != ""
}
