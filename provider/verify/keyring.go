package verify

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgp "github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Keyring is a set of public keys, any one of which may sign. It is immutable.
type Keyring struct {
	name string
	data []byte
	keys openpgp.EntityList
}

// Key describes a key of a [Keyring].
type Key struct {
	Fingerprint string    // in upper case, without spaces
	Name        string    // the primary user ID; it may hold any text
	Created     time.Time // when the key was made
	Expires     time.Time // zero for never
}

//go:embed keys/*.asc
var builtIn embed.FS

// RedHat returns the keys that sign OpenShift's releases: Red Hat's release key 2
// (567E347AD0044ADE55BA8A5F199E2F91FD431D51) and beta key 2
// (B08B659EE86AF623BC90E8DB938A80CAF21541EB). Every release carries them in the
// ConfigMap openshift-config-managed/release-verification.
func RedHat() Keyring {
	var all []byte
	for _, name := range []string{"keys/redhat-release.asc", "keys/redhat-beta.asc"} {
		data, err := builtIn.ReadFile(name)
		if err != nil { // it is compiled in
			panic(err)
		}
		all = append(all, data...)
	}
	k, err := ParseKeyring("verifier-public-key-redhat", all)
	if err != nil {
		panic(err)
	}
	return k
}

const (
	armorStart = "-----BEGIN PGP "
	armorEnd   = "-----END PGP PUBLIC KEY BLOCK-----"
	maxKeyring = 1 << 20
)

// ParseKeyring reads public keys, as armored blocks, of which there may be several with
// text around them, or in binary. name says where they are from: the key of a ConfigMap, or
// a file. Data without a key, or in which any key cannot be read, is an error.
func ParseKeyring(name string, data []byte) (Keyring, error) {
	k := Keyring{name: name, data: bytes.Clone(data)}
	var err error
	switch {
	case len(data) > maxKeyring:
		err = fmt.Errorf("larger than %d bytes", maxKeyring)
	case bytes.Contains(data, []byte(armorStart)):
		k.keys, err = armored(data)
	case len(data) > 0 && data[0]&0x80 == 0: // no packet begins so (RFC 9580, 4.2)
		err = errors.New("no public key in it, neither armored nor binary; gpg --export --armor writes one")
	default:
		k.keys, err = entities(bytes.NewReader(data))
	}
	if err == nil && len(k.keys) == 0 {
		err = errors.New("no public key in it")
	}
	if err != nil {
		return Keyring{}, fmt.Errorf("keyring %s: %w", name, err)
	}
	return k, nil
}

func armored(data []byte) (openpgp.EntityList, error) {
	var out openpgp.EntityList
	for n := 1; ; n++ {
		at := bytes.Index(data, []byte(armorStart))
		if at < 0 {
			return out, nil
		}
		data = data[at:]
		end := len(data)
		if next := bytes.Index(data[1:], []byte(armorStart)); next >= 0 {
			end = next + 1
		}
		block, err := armor.Decode(bytes.NewReader(data[:end]))
		switch {
		case err != nil:
			return nil, fmt.Errorf("block %d: %w", n, err)
		case block.Type != openpgp.PublicKeyType:
			return nil, fmt.Errorf("block %d is a %q, not a public key", n, block.Type)
		case !bytes.Contains(data[:end], []byte(armorEnd)):
			return nil, fmt.Errorf("block %d is cut short: it has no line %s", n, armorEnd)
		}
		keys, err := entities(block.Body)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", n, err)
		}
		out = append(out, keys...)
		data = data[end:]
	}
}

// entities reads keys until the end. Unlike openpgp.ReadKeyRing it skips none: a keyring
// that has lost a key would refuse what it should accept, and nobody would see why.
func entities(r io.Reader) (openpgp.EntityList, error) {
	var out openpgp.EntityList
	for packets := pgp.NewReader(r); ; {
		e, err := openpgp.ReadEntity(packets)
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, fmt.Errorf("key %d cannot be read: %w", len(out)+1, err)
		case e.PrivateKey != nil:
			return nil, fmt.Errorf("key %d is a private key", len(out)+1)
		}
		out = append(out, e)
	}
}

// Name returns where the keys are from, as given to [ParseKeyring].
func (k Keyring) Name() string { return k.name }

// Data returns what [ParseKeyring] read.
func (k Keyring) Data() []byte { return bytes.Clone(k.data) }

// Keys describes the primary keys, sorted by fingerprint.
func (k Keyring) Keys() []Key {
	var out []Key
	for _, e := range k.keys {
		out = append(out, describe(e))
	}
	slices.SortFunc(out, func(a, b Key) int { return cmp.Compare(a.Fingerprint, b.Fingerprint) })
	return out
}

func describe(e *openpgp.Entity) Key {
	k := Key{Fingerprint: fingerprint(e.PrimaryKey), Created: e.PrimaryKey.CreationTime}
	self, id := e.PrimarySelfSignature()
	if id != nil {
		k.Name = id.Name
	}
	k.Expires = expiry(e.PrimaryKey, self)
	return k
}

func fingerprint(key *pgp.PublicKey) string {
	return strings.ToUpper(hex.EncodeToString(key.Fingerprint))
}

func expiry(key *pgp.PublicKey, self *pgp.Signature) time.Time {
	if self == nil || self.KeyLifetimeSecs == nil || *self.KeyLifetimeSecs == 0 {
		return time.Time{}
	}
	return key.CreationTime.Add(time.Duration(*self.KeyLifetimeSecs) * time.Second)
}

// signingKeys returns the keys with id that may sign. A revoked key may not, whenever it
// was revoked; an expired one may, as in the cluster-version operator.
func (k Keyring) signingKeys(id uint64) (out []openpgp.Key, revoked bool) {
	for _, key := range k.keys.KeysById(id) {
		self := key.SelfSignature
		switch {
		case len(key.Entity.Revocations) > 0 || len(key.Revocations) > 0:
			revoked = true
		case self == nil || self.FlagsValid && !self.FlagSign:
		default:
			out = append(out, key)
		}
	}
	return out, revoked
}

// hash adds what identifies the keyring to id.
func (k Keyring) hash() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", k.name)
	for _, key := range k.Keys() {
		fmt.Fprintln(h, key.Fingerprint)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
