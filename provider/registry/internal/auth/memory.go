package auth

import (
	"context"
	"net/url"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
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
	challenge *learnt            // the last one that steers everybody; see shared
	tenants   map[string]*tenant // by [provider.Credential.ID]
	gates     [2]gate            // callers without and with credentials
	tokens    map[tokenKey]bearer
	flights   map[tokenKey]*flight
}

// tenant is what is known for one credential alone.
type tenant struct {
	challenge *learnt // the last one that it drew itself
	gate      gate
}

// maxTenants bounds the memory of one registry.
const maxTenants = 4096

// learnt is a challenge that this package can answer.
type learnt struct {
	scheme         string // "basic" or "bearer"
	realm, service string
	shared         bool // no other host is asked for the sake of it
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
		tenants: make(map[string]*tenant), tokens: make(map[tokenKey]bearer), flights: make(map[tokenKey]*flight),
	}
}

// Caller is who asks: for a repository, with a credential or the zero one, and
// under the rules that say which hosts must not be asked.
type Caller struct {
	Credential provider.Credential
	Repository string
	Rules      *policy.Rules
}

// Grant is what to send. The zero Grant is nothing.
type Grant struct {
	// Header is the value of the Authorization header.
	Header string
	// Plain allows it over plain HTTP: the registry has asked for it there, and not
	// over TLS alone.
	Plain bool

	token   string
	asked   time.Time // when a realm was asked for the token; zero for none of a realm's
	refused error     // why there is no token
	from    *learnt   // and whom it was asked from
}

// Older reports whether g is a token from before t. The registry may have declared
// it void in between: that it is refused says nothing of the credential.
func (g Grant) Older(t time.Time) bool { return !g.asked.IsZero() && g.asked.Before(t) }

func (l *learnt) grant(b bearer) Grant {
	return Grant{Header: "Bearer " + b.token, Plain: l.plain, token: b.token, asked: b.asked}
}

// Authorize is what a request of who says before it is asked to say
// anything: over TLS, Basic credentials and registry tokens are sent at once; a
// bearer token is, if the registry is known to want one.
func (m *Memory) Authorize(ctx context.Context, who Caller) (Grant, error) {
	cred := who.Credential
	m.mu.Lock()
	known := m.known(cred.ID())
	m.mu.Unlock()

	if t := cred.RegistryToken(); t != "" {
		return Grant{Header: "Bearer " + t, Plain: known.is("bearer") && known.plain, token: t}, nil
	}
	if known.is("bearer") {
		b, err := m.token(ctx, known, "", "", who)
		switch {
		case err == nil:
			return known.grant(b), nil
		case ctx.Err() != nil:
			return Grant{}, err
		}
		// The repository may need no token, or the registry may have moved to
		// another realm since; it is asked before this is an error.
		return Grant{refused: err, from: known}, nil
	}
	if user, pass, ok := basicOf(cred); ok {
		return Grant{Header: basicHeader(user, pass), Plain: known.is("basic") && known.plain}, nil
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
	known.shared = known.scheme == "basic" || m.isOwn(known.realm)
	m.mu.Lock()
	m.tenant(cred.ID()).challenge = known
	if known.shared {
		m.challenge = known
	}
	m.mu.Unlock()
	sent := tried.Plain || !resp.Plain
	refused := tried.token
	if !sent {
		refused = ""
	}
	return func(ctx context.Context) (Grant, error) {
		switch {
		case tried.refused != nil && *tried.from == *known:
			return Grant{}, tried.refused
		case known.is("basic"):
			return answerBasic(cred, tried.Header, sent, known.plain)
		case cred.RegistryToken() != "":
			if sent {
				return Grant{}, unauthorized("the pull secret's registry token for it is refused")
			}
			return Grant{Header: tried.Header, Plain: known.plain, token: tried.token}, nil
		}
		b, err := m.token(ctx, known, c.Params["scope"], refused, who)
		if err != nil {
			return Grant{}, err
		}
		return known.grant(b), nil
	}
}

func answerBasic(cred provider.Credential, tried string, sent, plain bool) (Grant, error) {
	user, pass, ok := basicOf(cred)
	if !ok {
		return Grant{}, unauthorized(wanting(cred))
	}
	g := Grant{Header: basicHeader(user, pass), Plain: plain}
	if sent && g.Header == tried {
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

// known is the challenge that steers a credential, nil for none. A registry may
// have tenants that do not trust each other, path by path, and one of them may
// answer for its path: a realm on another host gets the credentials alone that
// drew the challenge which names it. It is called with m.mu held.
func (m *Memory) known(id string) *learnt {
	if t := m.tenants[id]; t != nil && t.challenge != nil {
		return t.challenge
	}
	return m.challenge
}

// tenant is called with m.mu held. When there are too many, any may go.
func (m *Memory) tenant(id string) *tenant {
	t := m.tenants[id]
	if t == nil {
		if len(m.tenants) >= maxTenants {
			n := maxTenants / 4
			for k := range m.tenants {
				if delete(m.tenants, k); n == 0 {
					break
				}
				n--
			}
		}
		t = new(tenant)
		m.tenants[id] = t
	}
	return t
}

// isOwn reports whether a realm is on the registry itself, port and all.
func (m *Memory) isOwn(realm string) bool {
	u, err := url.Parse(realm)
	return err == nil && wire.SameHost(u.Host, m.host.Address())
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
