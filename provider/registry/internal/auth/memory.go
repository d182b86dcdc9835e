package auth

import (
	"context"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// Memory is what is known about how one registry authenticates. What was learnt
// over an insecure connection must never steer a secure one, so the two have
// memories of their own. It is safe for concurrent use.
type Memory struct {
	host    *wire.Host
	realm   func(address string, insecure bool) (*wire.Host, error)
	base    context.Context // of token flights, which no caller owns
	running *sync.WaitGroup

	mu        sync.Mutex
	challenge *learnt
	gates     [2]gate // callers without and with credentials
	tokens    map[tokenKey]bearer
	flights   map[tokenKey]*flight
}

// learnt is a challenge that this package can answer.
type learnt struct {
	scheme         string // "basic" or "bearer"
	realm, service string
	plain          bool // came over plain HTTP
}

// Config is what a [Memory] is made of.
type Config struct {
	// Host is the registry.
	Host *wire.Host
	// Realm finds the host that tokens are asked from.
	Realm func(address string, insecure bool) (*wire.Host, error)
	// Base ends token requests when the program does; Running counts them.
	Base    context.Context
	Running *sync.WaitGroup
}

// NewMemory knows nothing yet.
func NewMemory(c Config) *Memory {
	return &Memory{
		host: c.Host, realm: c.Realm, base: c.Base, running: c.Running,
		tokens: make(map[tokenKey]bearer), flights: make(map[tokenKey]*flight),
	}
}

// Caller is who asks: for a repository, with a credential or the zero one, and
// under the rules that say which hosts must not be asked.
type Caller struct {
	Credential provider.Credential
	Repository string
	Rules      *provider.Rules
}

// Grant is what to send. The zero Grant is nothing.
type Grant struct {
	// Header is the value of the Authorization header.
	Header string
	// Plain allows it over plain HTTP: the registry has asked for it there.
	Plain bool

	token   string
	refused error   // why there is no token
	from    *learnt // and whom it was asked from
}

// Authorize is what a request of who says before it is asked to say
// anything: over TLS, Basic credentials and registry tokens are sent at once; a
// bearer token is, if the registry is known to want one.
func (m *Memory) Authorize(ctx context.Context, who Caller) (Grant, error) {
	cred := who.Credential
	m.mu.Lock()
	known := m.challenge
	m.mu.Unlock()

	if t := cred.RegistryToken(); t != "" {
		return Grant{Header: "Bearer " + t, Plain: known.is("bearer"), token: t}, nil
	}
	if known.is("bearer") {
		t, err := m.token(ctx, known, "", "", who)
		switch {
		case err == nil:
			return Grant{Header: "Bearer " + t, Plain: true, token: t}, nil
		case ctx.Err() != nil:
			return Grant{}, err
		}
		// The repository may need no token, or the registry may have moved to
		// another realm since; it is asked before this is an error.
		return Grant{refused: err, from: known}, nil
	}
	if user, pass, ok := basicOf(cred); ok {
		return Grant{Header: basicHeader(user, pass), Plain: known.is("basic")}, nil
	}
	return Grant{}, nil
}

// Learn remembers the challenge of a 401 to a request that said tried. What it
// returns answers it: with what to send again, or with why there is nothing
// better to send. It may be called when resp is closed.
func (m *Memory) Learn(resp *wire.Response, who Caller, tried Grant) (answer func(context.Context) (Grant, error)) {
	cred := who.Credential
	c, ok := choose(ParseChallenges(resp.Header))
	if !ok {
		err := unauthorized(noScheme(resp.Header, Secrets(cred, tried)))
		return func(context.Context) (Grant, error) { return Grant{}, err }
	}
	known := &learnt{scheme: c.Scheme, realm: c.Params["realm"], service: c.Params["service"], plain: resp.Plain}
	m.mu.Lock()
	m.challenge = known
	m.mu.Unlock()
	if !resp.Plain {
		tried.Plain = true // it was sent, that is
	}
	return func(ctx context.Context) (Grant, error) {
		switch {
		case tried.refused != nil && *tried.from == *known:
			return Grant{}, tried.refused
		case known.is("basic"):
			return answerBasic(cred, tried)
		case cred.RegistryToken() != "":
			if tried.Plain {
				return Grant{}, unauthorized("the pull secret's registry token for it is refused")
			}
			return Grant{Header: tried.Header, Plain: true, token: tried.token}, nil
		}
		t, err := m.token(ctx, known, c.Params["scope"], tried.token, who)
		if err != nil {
			return Grant{}, err
		}
		return Grant{Header: "Bearer " + t, Plain: true, token: t}, nil
	}
}

func answerBasic(cred provider.Credential, tried Grant) (Grant, error) {
	user, pass, ok := basicOf(cred)
	if !ok {
		return Grant{}, unauthorized(wanting(cred))
	}
	g := Grant{Header: basicHeader(user, pass), Plain: true}
	if g.Header == tried.Header && tried.Plain {
		return Grant{}, unauthorized("the pull secret's user name or password for it is refused")
	}
	return g, nil
}

// choose prefers bearer: it serves every kind of credential, and none at all.
func choose(all []Challenge) (Challenge, bool) {
	for _, scheme := range []string{"bearer", "basic"} {
		for _, c := range all {
			if c.Scheme == scheme {
				return c, true
			}
		}
	}
	return Challenge{}, false
}

func (l *learnt) is(scheme string) bool { return l != nil && l.scheme == scheme }

// Secrets are the strings that must not show anywhere: cred's own and those of g.
func Secrets(cred provider.Credential, g Grant) []string {
	s := []string{cred.IdentityToken(), cred.RegistryToken(), g.token}
	if user, pass, ok := cred.Basic(); ok {
		s = append(s, pass, encoded(user, pass))
	}
	return s
}

// patience is how long others wait for the first to meet a host's challenge,
// from when its request was sent; hold bounds that from the start.
const (
	patience = 200 * time.Millisecond
	hold     = time.Second
)
