package provider

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"unique"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

const redacted = "REDACTED"

// Credential is one entry of a pull secret. However it is printed, it prints as
// REDACTED. It is comparable and immutable.
type Credential struct{ box unique.Handle[box] }

// box hides a secret from package fmt, which prints a Credential in an unexported
// field of another struct without calling its methods. A handle shows an address
// there, and still compares by what it stands for. There are two handles, because
// with a wrong verb ("%s") fmt follows the first.
type box struct{ secret unique.Handle[secret] }

type secret struct {
	username, password           string
	identityToken, registryToken string
}

func newCredential(s secret) Credential {
	if s == (secret{}) {
		return Credential{} // so that it is the zero Credential
	}
	return Credential{unique.Make(box{unique.Make(s)})}
}

func (c Credential) open() secret {
	if c.IsZero() {
		return secret{}
	}
	return c.box.Value().secret.Value()
}

// NewCredential makes a credential of a user name and a password.
func NewCredential(username, password string) Credential {
	return newCredential(secret{username: username, password: password})
}

// NewIdentityToken makes a credential of an OAuth2 refresh token. It is traded
// for a bearer token at the registry's realm.
func NewIdentityToken(token string) Credential {
	return newCredential(secret{identityToken: token})
}

// NewRegistryToken makes a credential of a bearer token. It is sent to the
// registry as it is.
func NewRegistryToken(token string) Credential {
	return newCredential(secret{registryToken: token})
}

// IsZero reports whether c is anonymous.
func (c Credential) IsZero() bool { return c == Credential{} }

// Basic returns the user name and password, if c has them.
func (c Credential) Basic() (username, password string, ok bool) {
	s := c.open()
	return s.username, s.password, s.username != ""
}

// IdentityToken returns an OAuth2 refresh token, or "".
func (c Credential) IdentityToken() string { return c.open().identityToken }

// RegistryToken returns a bearer token for the registry itself, or "".
func (c Credential) RegistryToken() string { return c.open().registryToken }

// ID returns a text that identifies the secret: two credentials have the same ID
// if they are the same. It is "" for the zero Credential. It is for keys in
// memory: do not log or store it, since a weak password could be guessed from it.
func (c Credential) ID() string {
	if c.IsZero() {
		return ""
	}
	s := c.open()
	return digestOf(s.username, s.password, s.identityToken, s.registryToken)
}

func (Credential) String() string               { return redacted }
func (Credential) GoString() string             { return redacted }
func (Credential) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (Credential) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Credential) LogValue() slog.Value         { return slog.StringValue(redacted) }

// Credentials are the entries of a pull secret, by registry and path. The zero
// value is anonymous. It is immutable and prints as REDACTED.
type Credentials struct{ set *credentialSet }

type credentialSet struct {
	entries  map[string]Credential // by "host[:port][/path]"
	unusable map[string]string     // what is wrong with entries that were left out, by the same
	warnings []string
	id       string
}

// NewCredentials makes Credentials of entries with keys like those of a docker config:
// "registry[:port][/path]", or a URL, which stands for its whole host, as for nodes
// (containers-auth.json(5)). Two keys that mean the same and have different credentials
// are an error. So is a key of another form, for example with white space, a user, a
// query, or a wildcard: Kubernetes knows wildcards, and nodes do not.
func NewCredentials(entries map[string]Credential) (Credentials, error) {
	set := make(map[string]Credential, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		c := entries[key]
		if c.IsZero() { // a placeholder that a credential helper stands behind
			continue
		}
		k, _, err := credentialKey(key)
		if err != nil {
			return Credentials{}, err
		}
		if old, ok := set[k]; ok && old != c {
			return Credentials{}, fmt.Errorf("auths[%q]: a second, different entry for %s; remove one", key, k)
		}
		set[k] = c
	}
	return credentialsOf(set, nil, nil), nil
}

func credentialsOf(entries map[string]Credential, unusable map[string]string, warnings []string) Credentials {
	if len(entries)+len(unusable)+len(warnings) == 0 {
		return Credentials{}
	}
	set := &credentialSet{entries: entries, unusable: unusable, warnings: warnings}
	if len(entries) > 0 {
		var all []string
		for _, k := range slices.Sorted(maps.Keys(entries)) {
			all = append(all, k, entries[k].ID())
		}
		for _, k := range slices.Sorted(maps.Keys(unusable)) {
			all = append(all, k, "")
		}
		set.id = digestOf(all...)
	}
	return Credentials{set}
}

// IsZero reports whether c holds no entry.
func (c Credentials) IsZero() bool { return c.set == nil || len(c.set.entries) == 0 }

// Warnings returns a text for each entry of a pull secret that was left out. It
// names the entry and says why. It holds nothing secret.
func (c Credentials) Warnings() []string {
	if c.set == nil {
		return nil
	}
	return slices.Clone(c.set.warnings)
}

// Unusable returns what is wrong with the entry for ref, if that entry was left
// out. It returns "" if there is a good entry, or none.
func (c Credentials) Unusable(ref imageref.Ref) string {
	_, _, why := c.match(ref)
	return why
}

// ID returns a text that identifies the set: two sets have the same ID if their
// entries are the same. It is "" for an empty set. Do not log or store it, see
// [Credential.ID].
func (c Credentials) ID() string {
	if c.set == nil {
		return ""
	}
	return c.set.id
}

// For returns the entry for the registry and repository of ref. An entry applies
// if its key is the name of ref, or whole leading components of it; the longest
// key counts. A port is part of the host: an entry for a host does not apply to
// the host with a port.
func (c Credentials) For(ref imageref.Ref) (Credential, bool) {
	_, cred, ok := c.Match(ref)
	return cred, ok
}

// Match returns what [Credentials.For] returns, and the key of the entry,
// "registry[:port][/path]", so that a person can be told which one it is.
func (c Credentials) Match(ref imageref.Ref) (key string, cred Credential, ok bool) {
	key, cred, _ = c.match(ref)
	return key, cred, key != ""
}

// match does what Match does, and also says why the entry that would apply does not.
func (c Credentials) match(ref imageref.Ref) (key string, cred Credential, unusable string) {
	if c.set == nil || ref.IsZero() {
		return "", Credential{}, ""
	}
	return c.matchName(ref.Name())
}

// matchName does what match does, for the name of a reference, or whole leading components of one.
func (c Credentials) matchName(name string) (key string, cred Credential, unusable string) {
	for {
		if cred, ok := c.set.entries[name]; ok {
			return name, cred, ""
		}
		if why, ok := c.set.unusable[name]; ok {
			return "", Credential{}, why
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return "", Credential{}, ""
		}
		name = name[:i]
	}
}

// Or returns c with the entries of o for registries and paths that c has no entry for.
func (c Credentials) Or(o Credentials) Credentials {
	switch {
	case c.set == nil:
		return o
	case o.set == nil:
		return c
	}
	entries := maps.Clone(o.set.entries)
	maps.Copy(entries, c.set.entries)
	unusable := make(map[string]string)
	for _, set := range []*credentialSet{o.set, c.set} {
		for k, why := range set.unusable {
			if _, ok := entries[k]; !ok {
				unusable[k] = why
			}
		}
	}
	warnings := slices.Concat(c.set.warnings, o.set.warnings)
	slices.Sort(warnings)
	return credentialsOf(entries, unusable, slices.Compact(warnings))
}

func (Credentials) String() string               { return redacted }
func (Credentials) GoString() string             { return redacted }
func (Credentials) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Credentials) LogValue() slog.Value         { return slog.StringValue(redacted) }

// digestOf hashes strings so that no two lists share an encoding.
func digestOf(parts ...string) string {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}
