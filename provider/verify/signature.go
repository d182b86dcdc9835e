package verify

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256" // hashes that signatures name
	_ "crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	pgp "github.com/ProtonMail/go-crypto/openpgp/packet"
)

// MaxSignature is the size in bytes of the largest signature that is read, compressed or
// not. Real ones have about 1,000.
const MaxSignature = 64 << 10

var errTooLarge = fmt.Errorf("larger than %d bytes", MaxSignature)

// hashes are those that a signature may use, by their numbers in RFC 4880, section 9.4.
// Older ones are broken.
var hashes = map[byte]crypto.Hash{8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512}

// message is a signed OpenPGP message: one document and one signature of it.
type message struct {
	document []byte
	keyID    uint64
	created  time.Time
	expires  time.Time // zero for never
	version  int
	verify   func(key *pgp.PublicKey) error
}

// parseMessage reads an optionally compressed message of three packets: a one-pass
// signature, a literal, and the signature. Anything beside that is refused, so that
// nothing in the message can be taken for signed that is not.
func parseMessage(data []byte) (*message, error) {
	if len(data) > MaxSignature {
		return nil, errTooLarge
	}
	packets, err := readPackets(data)
	if err != nil {
		return nil, err
	}
	if len(packets) == 1 && packets[0].tag == tagCompressed {
		if data, err = decompress(packets[0].body); err != nil {
			return nil, err
		}
		if packets, err = readPackets(data); err != nil {
			return nil, err
		}
	}
	if len(packets) != 3 || packets[0].tag != tagOnePass || packets[1].tag != tagLiteral || packets[2].tag != tagSignature {
		return nil, fmt.Errorf("%w with one document and one signature", errNoMessage)
	}
	m := new(message)
	if m.document, err = literalBody(packets[1].body); err != nil {
		return nil, err
	}
	sig := packets[2].body
	if len(sig) == 0 {
		return nil, errNoMessage
	}
	var terms terms
	switch m.version = int(sig[0]); m.version {
	case 3:
		terms, err = m.readV3(sig)
	case 4:
		terms, err = m.readV4(sig)
	default:
		err = fmt.Errorf("signatures of version %d are not supported", m.version)
	}
	if err != nil {
		return nil, err
	}
	return m, terms.checkOnePass(packets[0].body)
}

// terms are what a one-pass signature announces and the signature repeats.
type terms struct {
	kind, hash, algorithm byte
	keyID                 uint64
}

// checkOnePass compares the announcement with the signature (RFC 4880, section 5.4). No
// signature covers it, so a difference says that somebody changed it.
func (t terms) checkOnePass(body []byte) error {
	if len(body) != 13 || body[0] != 3 || body[12] == 0 {
		return fmt.Errorf("%w with one signature", errNoMessage)
	}
	if (terms{body[1], body[2], body[3], binary.BigEndian.Uint64(body[4:12])}) != t {
		return errors.New("the message announces another signature than it has")
	}
	return nil
}

func (t terms) check() error {
	switch {
	case t.kind != 0:
		return fmt.Errorf("a signature of type %#02x is not one of a document", t.kind)
	case hashes[t.hash] == 0:
		return fmt.Errorf("the hash with number %d is not supported", t.hash)
	}
	return nil
}

// readV4 reads a signature packet of version 4. ProtonMail's package verifies it.
func (m *message) readV4(body []byte) (terms, error) {
	var framed bytes.Buffer
	framed.Write([]byte{0xc0 | tagSignature, 0xff})
	framed.Write(binary.BigEndian.AppendUint32(nil, uint32(len(body))))
	framed.Write(body)
	p, err := pgp.Read(&framed)
	if err != nil {
		return terms{}, fmt.Errorf("the signature cannot be read: %w", err)
	}
	sig, ok := p.(*pgp.Signature)
	if !ok || sig.IssuerKeyId == nil {
		return terms{}, errors.New("the signature does not name its key")
	}
	m.keyID, m.created = *sig.IssuerKeyId, sig.CreationTime
	if s := sig.SigLifetimeSecs; s != nil && *s != 0 {
		m.expires = sig.CreationTime.Add(time.Duration(*s) * time.Second)
	}
	t := terms{kind: body[1], algorithm: body[2], hash: body[3], keyID: m.keyID}
	m.verify = func(key *pgp.PublicKey) error {
		h, err := sig.PrepareVerify()
		if err != nil {
			return err
		}
		h.Write(m.document)
		return key.VerifySignature(h, sig)
	}
	return t, t.check()
}

// readV3 reads a signature packet of version 3 (RFC 4880, section 5.2.2). Releases up to
// 4.10 have such signatures, and ProtonMail's package does not read them.
func (m *message) readV3(body []byte) (terms, error) {
	const fixed = 19 // up to the two bytes of the hash
	if len(body) < fixed+2 || body[1] != 5 {
		return terms{}, fmt.Errorf("%w: the signature is cut short", errNoMessage)
	}
	hashed := body[2:7] // the type and the time
	m.created = time.Unix(int64(binary.BigEndian.Uint32(body[3:7])), 0)
	m.keyID = binary.BigEndian.Uint64(body[7:15])
	t := terms{kind: body[2], algorithm: body[15], hash: body[16], keyID: m.keyID}
	if err := t.check(); err != nil {
		return terms{}, err
	}
	if t.algorithm != byte(pgp.PubKeyAlgoRSA) && t.algorithm != byte(pgp.PubKeyAlgoRSASignOnly) {
		return terms{}, fmt.Errorf("signatures of version 3 with algorithm %d are not supported", t.algorithm)
	}
	bits := int(binary.BigEndian.Uint16(body[fixed:]))
	value := body[fixed+2:]
	if len(value) != (bits+7)/8 {
		return terms{}, fmt.Errorf("%w: the signature is cut short, or something follows it", errNoMessage)
	}
	m.verify = func(key *pgp.PublicKey) error {
		public, ok := key.PublicKey.(*rsa.PublicKey)
		if !ok || len(value) > public.Size() {
			return errors.New("the key is of another kind than the signature")
		}
		h := hashes[t.hash].New()
		h.Write(m.document)
		h.Write(hashed)
		sum := h.Sum(nil)
		if !bytes.Equal(sum[:2], body[17:fixed]) {
			return errors.New("the hash does not match")
		}
		full := make([]byte, public.Size()) // leading zeros are not written
		copy(full[len(full)-len(value):], value)
		return rsa.VerifyPKCS1v15(public, hashes[t.hash], sum, full)
	}
	return t, nil
}
