package provider

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ParseCredentials reads a .dockerconfigjson: the "auths" of a docker config.json or a
// containers auth.json. Anything but a JSON object of that form is an error. An object that
// is something else, such as a Secret around one, is a warning and no credentials.
//
// An entry that cannot be used is left out, and [Credentials.Warnings] names it: its
// key names no registry, or its content is no credential. Images of other registries
// are not affected. If there are several entries for one registry, the one whose key is
// written as in references counts, and a warning names any other that differs. No text
// quotes the content of an entry.
//
// No program is run: "credsStore" and "credHelpers" are not read, and an entry without
// content, for which a credential helper is meant, is ignored. A caller that wants
// credential helpers runs them, and passes their answers to [NewCredentials].
func ParseCredentials(dockerConfigJSON []byte) (Credentials, error) {
	var config struct {
		Auths map[string]json.RawMessage `json:"auths"`
	}
	dockerConfigJSON = bytes.TrimPrefix(dockerConfigJSON, []byte("\xef\xbb\xbf")) // some editors write one
	if err := json.Unmarshal(dockerConfigJSON, &config); err != nil {
		return Credentials{}, fmt.Errorf("pull secret: not a docker config JSON object with \"auths\"%s%s", jsonPosition(err), notJSON(dockerConfigJSON))
	}
	p := pullSecret{keys: make(map[string]string), ranks: make(map[string]keyRank), good: make(map[string]Credential), bad: make(map[string]string)}
	for _, key := range slices.Sorted(maps.Keys(config.Auths)) {
		p.add(key, config.Auths[key])
	}
	for k := range p.good {
		delete(p.bad, k)
	}
	if other := otherObject(dockerConfigJSON); config.Auths == nil && other != "" {
		p.warnings = append(p.warnings, "pull secret: it has no \"auths\": "+other)
	}
	return credentialsOf(p.good, p.bad, p.warnings), nil
}

// pullSecret is a pull secret while it is read.
type pullSecret struct {
	keys     map[string]string // as it was written, by registry and path
	ranks    map[string]keyRank
	good     map[string]Credential
	bad      map[string]string
	warnings []string
}

func (p *pullSecret) warn(key, why string) {
	p.warnings = append(p.warnings, fmt.Sprintf("pull secret: auths[%q]: %s; the entry is left out", withoutSecrets(key), why))
}

func (p *pullSecret) add(key string, content json.RawMessage) {
	cred, err := parseAuth(content)
	if err == nil && cred.IsZero() {
		return // a placeholder that a credential helper stands behind
	}
	k, rank, keyErr := credentialKey(key)
	switch {
	case keyErr != nil:
		p.warn(key, errNoRegistry.Error())
		return
	case err != nil:
		p.warn(key, err.Error())
		p.bad[k] = err.Error()
		return
	}
	old, found := p.good[k]
	if found && old != cred {
		loser := key
		if rank < p.ranks[k] {
			loser = p.keys[k]
		}
		if max(rank, p.ranks[k]) < rankPath { // clients keep tokens of their own there
			p.warn(loser, fmt.Sprintf("a second, different entry for %s", k))
		}
	}
	if !found || rank < p.ranks[k] {
		p.keys[k], p.ranks[k], p.good[k] = key, rank, cred
	}
}

// parseAuth reads the content of an entry.
func parseAuth(content json.RawMessage) (Credential, error) {
	var a struct {
		Auth          string `json:"auth"`
		Username      string `json:"username"`
		Password      string `json:"password"`
		IdentityToken string `json:"identitytoken"`
		RegistryToken string `json:"registrytoken"`
	}
	if json.Unmarshal(content, &a) != nil {
		return Credential{}, errors.New("not an object with \"auth\", or of another type")
	}
	c := secret{a.Username, a.Password, a.IdentityToken, a.RegistryToken}
	if a.Auth != "" {
		user, password, err := decodeAuth(a.Auth)
		if err != nil {
			return Credential{}, fmt.Errorf("auth: %w", err)
		}
		c.username, c.password = user, password
	}
	return newCredential(c), nil
}

// keyRank says how near a key is to what references say. Of several that come to the
// same the nearest counts, as for nodes.
type keyRank int

const (
	rankExact keyRank = iota
	rankAlias         // with a final slash, or another name of Docker Hub
	rankURL           // with a scheme, and perhaps Docker's legacy /v1/ or /v2/
	rankPath          // a URL with any other path
)

var errNoRegistry = errors.New("it names no registry; want REGISTRY[:PORT][/PATH]")

// credentialKey normalizes a key of "auths". A URL stands for its host (containers/image,
// normalizeAuthFileKey).
func credentialKey(key string) (string, keyRank, error) {
	rest, hadScheme := key, false
	for _, scheme := range []string{"https://", "http://"} {
		if len(rest) >= len(scheme) && strings.EqualFold(rest[:len(scheme)], scheme) {
			rest, hadScheme = rest[len(scheme):], true
			break
		}
	}
	host, path, _ := strings.Cut(strings.TrimRight(rest, "/"), "/")
	rank := rankExact
	if hadScheme {
		rank = rankPath
		if path == "" || path == "v1" || path == "v2" {
			rank = rankURL
		}
	}
	switch host {
	case "index.docker.io", "registry-1.docker.io":
		host = "docker.io"
	}
	k := host
	if path != "" {
		k += "/" + path
	}
	if host == "" || !isCredentialKey(k) {
		return "", 0, fmt.Errorf("auths[%q]: %w", withoutSecrets(key), errNoRegistry)
	}
	if hadScheme {
		k = host
	}
	if k != key {
		rank = max(rank, rankAlias)
	}
	return k, rank, nil
}

// withoutSecrets returns a key as errors quote it: who writes a user into a URL may write a
// password there too, and a token into its query.
func withoutSecrets(key string) string {
	if i := strings.IndexAny(key, "?#"); i >= 0 {
		key = key[:i] + "..."
	}
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

func decodeAuth(s string) (user, password string, err error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(s)
	}
	if err != nil {
		return "", "", errors.New("not base64; want base64 of USER:PASSWORD")
	}
	user, password, ok := strings.Cut(strings.TrimRight(string(b), "\x00"), ":")
	if !ok || user == "" {
		return "", "", errors.New("no user name before a colon; want base64 of USER:PASSWORD")
	}
	return user, password, nil
}

const fromSecret = "take the .dockerconfigjson of the Secret, decoded from base64"

// notJSON says what text in place of a pull secret is, and what to do; "" if that is unknown.
func notJSON(b []byte) string {
	text := strings.TrimSpace(string(b))
	decoded, err := base64.StdEncoding.DecodeString(text)
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return "; it is UTF-16: save it as UTF-8"
	case strings.HasPrefix(text, "apiVersion:"), strings.HasPrefix(text, "kind:"), strings.HasPrefix(text, "---"):
		return "; it is YAML: " + fromSecret
	case err == nil && bytes.HasPrefix(bytes.TrimSpace(decoded), []byte("{")):
		return "; it is base64 of JSON: decode it"
	}
	return ""
}

// otherObject does what notJSON does, for a JSON object without "auths".
func otherObject(b []byte) string {
	var object map[string]json.RawMessage
	if json.Unmarshal(b, &object) != nil {
		return ""
	}
	if _, ok := object["apiVersion"]; ok {
		return "it is an object of Kubernetes; " + fromSecret
	}
	for key, content := range object {
		if _, _, err := credentialKey(key); err != nil || !bytes.HasPrefix(content, []byte("{")) {
			continue
		}
		if cred, err := parseAuth(content); err == nil && !cred.IsZero() {
			return "its keys are registries, as in an old .dockercfg; write {\"auths\": ...} around them"
		}
	}
	return ""
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
