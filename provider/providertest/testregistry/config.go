package testregistry

import "time"

// Config says what a registry is like. The zero value serves TLS on 127.0.0.1
// with a CA of its own, without authentication, as fast as it can.
type Config struct {
	// Host is the host in the registry's references: an IP address of the
	// loopback interface or "localhost"; "" is 127.0.0.1.
	Host string
	// Names are further names that the certificate is valid for, for a client
	// that is told to find them here.
	Names []string
	// PlainHTTP serves the registry, and what goes with it, without TLS.
	PlainHTTP bool
	// NoHTTP2 speaks HTTP/1.1 only.
	NoHTTP2 bool
	// CA issues the certificates; nil makes one. Registries may share one.
	CA *CA
	// RequireClientCertificate turns away TLS clients without a certificate of CA.
	RequireClientCertificate bool

	Auth Auth

	// RedirectBlobs answers requests for blobs with a redirect to a listener of
	// its own, as registries before an object storage do. That one answers 400
	// to a request that carries an Authorization header, as object storage does.
	RedirectBlobs bool
	// PlainStorage has that listener speak plain HTTP.
	PlainStorage bool

	// Unconditional answers requests with If-None-Match in full, as registries do
	// that know no conditions.
	Unconditional bool
	// NoRanges answers requests for a part of a blob with the whole.
	NoRanges bool
	// AcceptByLine takes each line of an Accept header for one media type.
	AcceptByLine bool
	// DeadAddresses is how many addresses, 127.0.0.2 and on, have a port of the
	// registry's number at which nobody answers, not even with a refusal. Only Linux
	// has them.
	DeadAddresses int

	// Latency is added before every answer of every listener. See
	// [Registry.SetLatency].
	Latency time.Duration
}

// Scheme is how a registry authenticates.
type Scheme uint8

const (
	// NoAuth lets everybody read everything.
	NoAuth Scheme = iota
	// Basic asks for user name and password on every request.
	Basic
	// Bearer asks for a token of a token endpoint.
	Bearer
)

// Auth says who may read what.
type Auth struct {
	Scheme Scheme
	Users  []User
	// Anonymous are repositories that everybody may read, as in
	// [User.Repositories] except that nil means none.
	Anonymous []string

	// TokenElsewhere serves tokens on a listener of its own instead of under
	// /token of the registry's.
	TokenElsewhere bool
	// PlainToken has that listener speak plain HTTP.
	PlainToken bool
	// Realm replaces the token endpoint's address in challenges.
	Realm string
	// TokenLifetime is how long tokens are good; 0 is five minutes.
	TokenLifetime time.Duration
	// NoPost has the token endpoint answer 405 to POST, as old ones do.
	NoPost bool

	// What some registries do otherwise than the specification says.

	// BasicStatus, if not 0, is the answer to Basic credentials where Scheme is Bearer,
	// in place of a challenge.
	BasicStatus int
	// TokenStatus, if not 0, is the answer to a token that is not valid any more, in
	// place of a challenge.
	TokenStatus int
	// Scope, if not nil, says which scope a challenge for a repository names.
	Scope func(repository string) string
	// ScopeCounts wants a token for the repository in Scope.
	ScopeCounts bool
	// BasicForTokens asks for Basic where a token does not suffice.
	BasicForTokens bool
	// PingOnly shows challenges at /v2/ alone: repositories answer 401 without one, or
	// HiddenStatus if that is not 0.
	PingOnly     bool
	HiddenStatus int
}

// User is somebody with credentials.
type User struct {
	Name, Password string // of Basic authentication, and for getting tokens
	// IdentityToken, if not "", is an OAuth2 refresh token of the user's.
	IdentityToken string
	// RegistryToken, if not "", is a bearer token that the registry accepts as it is.
	RegistryToken string
	// Repositories that the user may read: each is a repository or whole leading
	// components of some. nil means all.
	Repositories []string
}
