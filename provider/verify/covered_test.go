package verify_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/verify"
)

// Every bit of the document, of the signature's value and of the key ID in the signature
// counts. flipEveryBit says of the rest that no bit of it gives another verdict.
func TestEveryBitCounts(t *testing.T) {
	e := newEntity(t, "signer")
	k := keyring(t, "k", public(t, e))
	id := binary.BigEndian.AppendUint64(nil, e.PrimaryKey.KeyId)
	const value = 256 // of RSA with 2048 bits, at the end
	for name, sig := range map[string][]byte{"V3": signV3(t, e, document(digest)), "V4": sign(t, e, document(digest), nil)} {
		t.Run(name, func(t *testing.T) {
			parts := map[string][2]int{"value": {len(sig) - value, len(sig)}}
			if at := bytes.Index(sig, []byte(document(digest))); at >= 0 {
				parts["document"] = [2]int{at, at + len(document(digest))}
			}
			if at := bytes.LastIndex(sig, id); at >= 0 {
				parts["key ID"] = [2]int{at, at + len(id)}
			}
			if len(parts) != 3 {
				t.Fatalf("found only %v", parts)
			}
			for part, at := range parts {
				for i := at[0]; i < at[1]; i++ {
					for bit := range 8 {
						flipped := slices.Clone(sig)
						flipped[i] ^= 1 << bit
						if v, err := trust(t, k).Verify(t.Context(), digest, stored(digest, flipped)); !errors.Is(err, verify.ErrRejected) {
							t.Fatalf("%s, byte %d, bit %d: %+v, %v", part, i-at[0], bit, v, err)
						}
					}
				}
			}
		})
	}
}

// A message has one document and one signature. What the second says does not matter.
func TestSecondSignature(t *testing.T) {
	e, other := newEntity(t, "signer"), newEntity(t, "other")
	k := keyring(t, "k", public(t, e))
	good, foreign := signV3(t, e, document(digest)), signV3(t, other, document(digest))
	signature := func(sig []byte) []byte { // its packet, behind those of the one-pass signature and the literal
		return sig[bytes.Index(sig, []byte(document(digest)))+len(document(digest)):]
	}
	for name, sig := range map[string][]byte{
		"twice": slices.Concat(good, signature(good)), "a foreign one behind it": slices.Concat(good, signature(foreign)), "before it": slices.Concat(foreign, signature(good)),
	} {
		if v, err := trust(t, k).Verify(t.Context(), digest, stored(digest, sig)); !errors.Is(err, verify.ErrRejected) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

// Of a key that is there twice the last one counts, as in the cluster-version operator.
func TestDuplicateKeys(t *testing.T) {
	e := newEntity(t, "signer")
	k := keyring(t, "k", public(t, e))
	const key = `"docker-manifest-digest":`
	other := "sha256:" + strings.Repeat("f", 64)
	for doc, isGood := range map[string]bool{
		strings.Replace(document(digest), key, key+`"`+other+`",`+key, 1): true,
		strings.Replace(document(other), key, key+`"`+digest+`",`+key, 1): false,
	} {
		if _, err := trust(t, k).Verify(t.Context(), digest, stored(digest, sign(t, e, doc, nil))); (err == nil) != isGood {
			t.Errorf("%s: %v", doc, err)
		}
	}
}

// A keyring that is cut short anywhere is refused: one that has lost a key would refuse what
// it should accept.
func TestTruncatedKeyring(t *testing.T) {
	data := bytes.TrimSpace(public(t, newEntity(t, "a"), newEntity(t, "b")))
	for n := range len(data) {
		if k, err := verify.ParseKeyring("cut", data[:n]); err == nil {
			t.Fatalf("%d of %d bytes: %d keys\n%s", n, len(data), len(k.Keys()), data[max(0, n-60):n])
		}
	}
}
