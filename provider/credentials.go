package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
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
//
// In an unexported field of another struct package fmt prints it without asking
// it. A handle shows an address there, and still compares by what it stands for;
// two of them, because a wrong verb ("%s") has fmt follow the first.
type Credential struct{ box unique.Handle[box] }

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

// NewCredential is a user name and a password.
func NewCredential(username, password string) Credential {
	return newCredential(secret{username: username, password: password})
}

// NewIdentityToken is an OAuth2 refresh token, traded for a bearer token at the
// registry's realm.
func NewIdentityToken(token string) Credential {
	return newCredential(secret{identityToken: token})
}

// NewRegistryToken is a bearer token, sent to the registry as it is.
func NewRegistryToken(token string) Credential {
	return newCredential(secret{registryToken: token})
}

// IsZero reports whether c is anonymous.
func (c Credential) IsZero() bool { return c == Credential{} }

// Basic is the user name and password, if c has them.
func (c Credential) Basic() (username, password string, ok bool) {
	s := c.open()
	return s.username, s.password, s.username != ""
}

// IdentityToken is an OAuth2 refresh token, or "".
func (c Credential) IdentityToken() string { return c.open().identityToken }

// RegistryToken is a bearer token for the registry itself, or "".
func (c Credential) RegistryToken() string { return c.open().registryToken }

// ID is the same for the same secret and for nothing else; "" for the zero
// Credential. It is for keys in memory: do not log or store it, since a weak
// password could be guessed from it.
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
	entries map[string]Credential // by "host[:port][/path]"
	id      string
}

// NewCredentials builds a set from entries keyed like those of a docker config:
// "registry[:port][/path]". A scheme, a trailing slash and Docker's legacy /v1/
// and /v2/ are dropped; two keys that come to the same with different
// credentials are an error, as is a key that is not of that form: one with white
// space, a user or a query, for example, or a wildcard, which Kubernetes knows and
// nodes do not.
func NewCredentials(entries map[string]Credential) (Credentials, error) {
	set := make(map[string]Credential, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		c := entries[key]
		if c.IsZero() { // a placeholder that a credential helper stands behind
			continue
		}
		k, err := credentialKey(key)
		if err != nil {
			return Credentials{}, err
		}
		if old, ok := set[k]; ok && old != c {
			return Credentials{}, fmt.Errorf("auths[%q]: a second, different entry for %s; remove one", key, k)
		}
		set[k] = c
	}
	if len(set) == 0 {
		return Credentials{}, nil
	}
	var all []string
	for _, k := range slices.Sorted(maps.Keys(set)) {
		all = append(all, k, set[k].ID())
	}
	return Credentials{&credentialSet{entries: set, id: digestOf(all...)}}, nil
}

// ParseCredentials reads a .dockerconfigjson: the "auths" of a docker
// config.json or a containers auth.json. Errors name the entry that is wrong and
// never quote its content.
//
// No program is run: "credsStore" and "credHelpers" are not looked at, and an entry
// without content, behind which one of them stands, counts as none. Who wants them
// runs them, and gives what they say to [NewCredentials].
func ParseCredentials(dockerConfigJSON []byte) (Credentials, error) {
	var config struct {
		Auths map[string]struct {
			Auth          string `json:"auth"`
			Username      string `json:"username"`
			Password      string `json:"password"`
			IdentityToken string `json:"identitytoken"`
			RegistryToken string `json:"registrytoken"`
		} `json:"auths"`
	}
	if err := json.Unmarshal(dockerConfigJSON, &config); err != nil {
		return Credentials{}, fmt.Errorf("pull secret: not a docker config JSON object with \"auths\"%s", jsonPosition(err))
	}
	entries := make(map[string]Credential, len(config.Auths))
	for key, a := range config.Auths {
		c := secret{a.Username, a.Password, a.IdentityToken, a.RegistryToken}
		if a.Auth != "" {
			user, pass, err := decodeAuth(a.Auth)
			if err != nil {
				return Credentials{}, fmt.Errorf("pull secret: auths[%q].auth: %w", withoutUser(key), err)
			}
			c.username, c.password = user, pass
		}
		entries[key] = newCredential(c)
	}
	c, err := NewCredentials(entries)
	if err != nil {
		return Credentials{}, fmt.Errorf("pull secret: %w", err)
	}
	return c, nil
}

// IsZero reports whether c holds no entry.
func (c Credentials) IsZero() bool { return c.set == nil }

// ID is the same for the same set of entries and for nothing else; "" for none.
// See [Credential.ID] on what not to do with it.
func (c Credentials) ID() string {
	if c.set == nil {
		return ""
	}
	return c.set.id
}

// For is the entry for the registry and repository of ref: of those whose key is
// ref's name or whole leading components of it, the longest. A port is part of
// the host; an entry for a host is none for its ports.
func (c Credentials) For(ref imageref.Ref) (Credential, bool) {
	_, cred, ok := c.Match(ref)
	return cred, ok
}

// Match is For, and the key of the entry, "registry[:port][/path]", for telling
// a person which one it is.
func (c Credentials) Match(ref imageref.Ref) (key string, cred Credential, ok bool) {
	if c.set == nil || ref.IsZero() {
		return "", Credential{}, false
	}
	for name := ref.Name(); ; {
		if cred, ok := c.set.entries[name]; ok {
			return name, cred, true
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return "", Credential{}, false
		}
		name = name[:i]
	}
}

// Or is c with the entries of o for registries and paths that c has no entry for.
func (c Credentials) Or(o Credentials) Credentials {
	switch {
	case c.set == nil:
		return o
	case o.set == nil:
		return c
	}
	all := maps.Clone(o.set.entries)
	maps.Copy(all, c.set.entries)
	both, err := NewCredentials(all)
	if err != nil { // keys are normalized and unique already
		panic(err)
	}
	return both
}

func (Credentials) String() string               { return redacted }
func (Credentials) GoString() string             { return redacted }
func (Credentials) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (Credentials) MarshalText() ([]byte, error) { return []byte(redacted), nil }
func (Credentials) LogValue() slog.Value         { return slog.StringValue(redacted) }

// credentialKey normalizes a key of "auths".
func credentialKey(key string) (string, error) {
	rest, hadScheme := key, false
	for _, scheme := range []string{"https://", "http://"} {
		if r, ok := strings.CutPrefix(rest, scheme); ok {
			rest, hadScheme = r, true
			break
		}
	}
	host, path, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
	if hadScheme && (path == "v1" || path == "v2") {
		path = ""
	}
	switch host {
	case "":
		return "", fmt.Errorf("auths[%q]: it names no registry; want REGISTRY[:PORT][/PATH]", withoutUser(key))
	case "index.docker.io", "registry-1.docker.io":
		host = "docker.io"
	}
	k := host
	if path != "" {
		k += "/" + path
	}
	if !isCredentialKey(k) {
		return "", fmt.Errorf("auths[%q]: it names no registry; want REGISTRY[:PORT][/PATH]", withoutUser(key))
	}
	return k, nil
}

// withoutUser is a key as errors quote it: who writes a user into a URL may write a
// password there too.
func withoutUser(key string) string {
	if i := strings.LastIndexByte(key, '@'); i >= 0 {
		return "..." + key[i:]
	}
	return key
}

// isCredentialKey reports whether k is HOST[:PORT][/PATH]. Of a path it only wants
// that its components could be some registry's: what no reference has, such as
// upper case, matches none and does no harm.
func isCredentialKey(k string) bool {
	host, path, found := strings.Cut(k, "/")
	if !imageref.IsLocation(host) {
		if ref, err := imageref.Parse(host + "/a"); host[0] != '[' || err != nil || ref.Registry() != host { // an IPv6 literal
			return false
		}
	}
	for part := range strings.SplitSeq(path, "/") {
		if found && (part == "" || !isWord(part)) {
			return false
		}
	}
	return true
}

func decodeAuth(s string) (user, pass string, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(s)
	}
	if err != nil {
		return "", "", errors.New("not base64; want base64 of USER:PASSWORD")
	}
	user, pass, ok := strings.Cut(strings.TrimRight(string(b), "\x00"), ":")
	if !ok || user == "" {
		return "", "", errors.New("no user name before a colon; want base64 of USER:PASSWORD")
	}
	return user, pass, nil
}

// jsonPosition tells where JSON is wrong without quoting any of it.
func jsonPosition(err error) string {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf(" (syntax error at byte %d)", e.Offset)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf(" (wrong type at byte %d)", e.Offset)
	}
	return ""
}

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
