// Package auth decides what a request to a registry says about who is asking:
// nothing, Basic credentials, or a bearer token that it gets from the realm the
// registry's own challenge names.
//
// Per registry it remembers challenges and tokens, and however many lookups start
// at once, one of them meets the challenge and one request gets each token. Who
// met a challenge matters: one that names a realm on another host steers the
// credential that drew it and no other. So where tokens come from another host,
// each new credential costs one 401 more. Credentials never leave for anywhere but the registry and its
// realm; this package sees to the realm, its caller to the registry.
//
// Sources: RFC 9110 section 11, distribution's docs/spec/auth/token.md and oauth.md.
package auth
