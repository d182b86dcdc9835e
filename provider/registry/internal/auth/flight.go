package auth

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// tokenKey is what a token is good for. The scope follows from the repository:
// it is "pull", or what the registry's challenge for it said.
type tokenKey struct {
	credential, repository, realm, service string
	unverified                             bool // policy calls the realm's host insecure
}

// flightKey is what a request for a token asks for.
type flightKey struct {
	tokenKey
	scope string
}

// maxTokens bounds the memory of one registry.
const maxTokens = 4096

// flight is one request for a token that any number of callers wait for. It
// ends when the last of them has left.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	bearer  bearer
	err     error
}

// token returns a token for repository: a remembered one, unless it is the one that
// was refused, or one that a flight brings. Whose rules forbid the realm joins no
// flight either. A remembered token is given all the same: nothing is sent for it.
//
// An empty scope is the one that worked last time, or else a guess. The bearer says
// which scope that was, also where there is an error.
func (m *Memory) token(ctx context.Context, c *learnt, scope, refused string, who Caller) (bearer, error) {
	cred, repository := who.Credential, who.Repository
	key := flightKey{tokenKey: tokenKey{cred.ID(), repository, c.realm, c.service, m.unverified(c.realm, who.Rules)}}
	m.mu.Lock()
	if b, ok := m.tokens[key.tokenKey]; ok {
		if b.token != refused && time.Now().Before(b.until) && (scope == "" || scope == b.scope) {
			m.mu.Unlock()
			return b, nil
		}
		scope = cmp.Or(scope, b.scope)
	}
	key.scope = cmp.Or(scope, guess(repository))
	if err := m.permitted(c.realm, who.Rules); err != nil {
		m.mu.Unlock()
		return bearer{scope: key.scope}, err
	}
	f := m.flights[key]
	if f == nil {
		f = m.start(key, exchange{
			realm: c.realm, service: c.service, plain: c.plain, cred: cred, scope: key.scope, unverified: key.unverified,
		})
	}
	f.waiting++
	m.mu.Unlock()

	select {
	case <-f.done:
		return f.bearer, f.err
	case <-ctx.Done():
	}
	m.mu.Lock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		if m.flights[key] == f { // not to be joined any more
			delete(m.flights, key)
		}
	}
	m.mu.Unlock()
	return bearer{scope: key.scope}, wire.ContextError(ctx)
}

// guess returns the scope that a registry asks for if it says nothing else.
func guess(repository string) string { return "repository:" + repository + ":pull" }

// start starts the flight of key. The caller holds m.mu.
func (m *Memory) start(key flightKey, x exchange) *flight {
	ctx, cancel := context.WithCancel(m.background.ctx)
	f := &flight{done: make(chan struct{}), cancel: cancel}
	m.flights[key] = f
	if !m.background.run(func() {
		defer cancel()
		f.bearer, f.err = m.fetch(ctx, x)
		f.bearer.scope = x.scope
		m.mu.Lock()
		if f.err == nil {
			m.keep(key.tokenKey, f.bearer)
		}
		if m.flights[key] == f {
			delete(m.flights, key)
		}
		m.mu.Unlock()
		close(f.done)
	}) {
		f.err = ctx.Err()
		delete(m.flights, key)
		close(f.done)
	}
	return f
}

// keep keeps a token. The caller holds m.mu. When there are too many tokens, those go that
// expire first.
func (m *Memory) keep(key tokenKey, b bearer) {
	if len(m.tokens) >= maxTokens {
		byExpiry := slices.SortedFunc(maps.Keys(m.tokens), func(a, b tokenKey) int {
			return m.tokens[a].until.Compare(m.tokens[b].until)
		})
		for _, k := range byExpiry[:maxTokens/4] {
			delete(m.tokens, k)
		}
	}
	m.tokens[key] = b
}
