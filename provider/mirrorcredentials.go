package provider

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// MirrorCredentials are credentials for mirrors alone, beside a pull secret. Of several the
// first that applies counts: the pull secret, Own, Shared. They are used at a mirror that a
// policy names, and not where only a tenant does ([policy.Candidate].ByTenant), for the one
// repository that is asked there, and only on hosts for which the pull secret has no entry at
// all. The zero value has none. It prints as REDACTED.
type MirrorCredentials struct {
	// Own are those of the tenant that the lookup is for.
	Own Credentials
	// Shared are those of the operator of the program, for all its tenants. If one tenant
	// reads content with them, the mirror is still asked before another one gets it.
	Shared Credentials
}

// IsZero reports whether m holds no entry.
func (m MirrorCredentials) IsZero() bool { return m.Own.IsZero() && m.Shared.IsZero() }

// ID returns what [Credentials.ID] returns.
func (m MirrorCredentials) ID() string {
	if m.IsZero() {
		return ""
	}
	return digestOf(m.Own.ID(), m.Shared.ID())
}

// CredentialOwner says whose credential a request is made with.
type CredentialOwner uint8

const (
	// CredentialTenant is the pull secret, or none.
	CredentialTenant CredentialOwner = iota
	// CredentialMirror is [MirrorCredentials].Own.
	CredentialMirror
	// CredentialOperator is [MirrorCredentials].Shared.
	CredentialOperator
)

var credentialOwners = [...]string{CredentialTenant: "tenant", CredentialMirror: "mirror", CredentialOperator: "operator"}

// String returns a short word that stays the same, fit for the label of a metric.
func (o CredentialOwner) String() string {
	if int(o) < len(credentialOwners) {
		return credentialOwners[o]
	}
	return "unknown"
}

// AtMirror returns r, which asks a mirror that a policy names, with the entry of
// MirrorCredentials that applies there, if any. The request has no other credential then,
// none of MirrorCredentials for any other place, and Tenant and CredentialOwner say so.
// Mirrors and Images of package chain call it for each mirror.
func (r Request) AtMirror() Request {
	m := r.MirrorCredentials
	r.MirrorCredentials = MirrorCredentials{}
	if m.IsZero() || r.Credentials.HasHost(r.Image.Registry()) {
		return r
	}
	owner := CredentialMirror
	cred, ok := m.Own.For(r.Image)
	if !ok && !m.Own.HasHost(r.Image.Registry()) {
		cred, ok = m.Shared.For(r.Image)
		owner = CredentialOperator
	}
	if !ok {
		return r
	}
	r.Tenant = digestOf(r.Credentials.ID(), m.ID())
	r.CredentialOwner = owner
	r.Credentials = credentialsOf(map[string]Credential{r.Image.Name(): cred}, nil, nil)
	return r
}

// HasHost reports whether there is an entry for a registry or any path of it, be it one that
// cannot be used.
func (c Credentials) HasHost(registry string) bool {
	if c.set == nil {
		return false
	}
	is := func(key string) bool {
		rest, ok := strings.CutPrefix(key, registry)
		return ok && (rest == "" || rest[0] == '/')
	}
	if _, ok := c.set.entries[registry]; ok {
		return true
	}
	for key := range c.set.entries {
		if is(key) {
			return true
		}
	}
	for key := range c.set.unusable {
		if is(key) {
			return true
		}
	}
	return false
}

// All yields the entries that can be used by their keys, "registry[:port][/path]", sorted.
func (c Credentials) All() iter.Seq2[string, Credential] {
	return func(yield func(string, Credential) bool) {
		if c.set == nil {
			return
		}
		for _, key := range slices.Sorted(maps.Keys(c.set.entries)) {
			if !yield(key, c.set.entries[key]) {
				return
			}
		}
	}
}

// ForName does what [Credentials.For] does, for what lies at name: a registry, a namespace or a
// repository.
func (c Credentials) ForName(name string) (Credential, bool) {
	if c.set == nil || name == "" {
		return Credential{}, false
	}
	key, cred, _ := c.matchName(name)
	return cred, key != ""
}
