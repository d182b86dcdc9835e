package auth

import (
	"net/url"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// Memory is what is known about how one registry authenticates. What was learnt
// over an insecure connection must never steer a secure one, so the two have
// memories of their own. It is safe for concurrent use.
type Memory struct {
	host  *wire.Host
	realm func(address string, insecure bool) (*wire.Host, error)
	// background runs token flights, which no caller owns.
	background *Background
	// insecure says that no realm needs a good certificate.
	insecure bool

	mu        sync.Mutex
	challenge *learnt            // the last one that steers everybody; see shared
	tenants   map[string]*tenant // by [provider.Credential.ID]
	gates     [2]gate            // callers without and with credentials
	tokens    map[tokenKey]bearer
	flights   map[flightKey]*flight
}

// tenant is what is known for one credential alone.
type tenant struct {
	challenge *learnt // the last one that it drew itself
	gate      gate

	quiet   bool // the registry does not want a password that it did not ask for
	settled bool // it was asked without the password, and refuses that too
	pinged  bool // it was asked for a challenge, and has none
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
	// Insecure asks any realm without verifying its certificate.
	Insecure bool
	// Background runs the token requests.
	Background *Background
}

// NewMemory knows nothing yet.
func NewMemory(c Config) *Memory {
	return &Memory{
		host: c.Host, realm: c.Realm, background: c.Background, insecure: c.Insecure,
		tenants: make(map[string]*tenant), tokens: make(map[tokenKey]bearer), flights: make(map[flightKey]*flight),
	}
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

// known returns the challenge that steers a credential, nil for none. A registry may
// have tenants that do not trust each other, path by path, and one of them may
// answer for its path: a realm on another host gets the credentials alone that
// drew the challenge which names it. It is called with m.mu held.
func (m *Memory) known(id string) *learnt {
	if t := m.tenants[id]; t != nil && t.challenge != nil {
		return t.challenge
	}
	return m.challenge
}

// tenant returns the tenant, and adds one that is new. When there are too many, any may go. The
// caller holds m.mu.
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

// patience is how long others wait for the first to meet a host's challenge,
// from when its request was sent; hold bounds that from the start.
const (
	timeLimit = 200 * time.Millisecond
	hold      = time.Second
)
