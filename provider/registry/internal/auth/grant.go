package auth

import (
	"context"
	"net/http"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

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
	// Unasked says that nobody has asked for it: the registry may take it amiss.
	Unasked bool

	token   string
	scope   string    // that a realm's token was asked with, also where there is none
	asked   time.Time // when a realm was asked for the token; zero for none of a realm's
	refused error     // why there is no token
	from    *learnt   // and whom it was asked from
}

// Older reports whether g is a token from before t. The registry may have declared
// it void in between: that it is refused says nothing of the credential.
func (g Grant) Older(t time.Time) bool { return g.FromRealm() && g.asked.Before(t) }

// FromRealm reports whether g is a token that a realm gave.
func (g Grant) FromRealm() bool { return !g.asked.IsZero() }

// HasScope reports whether a realm was asked for a token.
func (g Grant) HasScope() bool { return g.scope != "" }

// Guessed reports whether g was asked for with the scope that is asked for where the
// registry names none.
func (g Grant) Guessed(who Caller) bool { return g.scope == guess(who.Repository) }

// Answer gets what to send next, or an error that says why there is nothing. The Grant
// that comes with an error is for telling what was tried.
type Answer func(context.Context) (Grant, error)

func (l *learnt) grant(b bearer) Grant {
	return Grant{Header: "Bearer " + b.token, Plain: l.plain, token: b.token, scope: b.scope, asked: b.asked, from: l}
}

// Authorize returns what a request of who sends before the registry asks for
// anything: over TLS, Basic credentials and registry tokens are sent at once; a
// bearer token is, if the registry is known to want one.
func (m *Memory) Authorize(ctx context.Context, who Caller) (Grant, error) {
	cred := who.Credential
	m.mu.Lock()
	known := m.known(cred.ID())
	t := m.tenants[cred.ID()]
	quiet, settled := t != nil && t.quiet, t != nil && t.settled
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
		return Grant{refused: err, from: known, scope: b.scope}, nil
	}
	if !known.is("basic") && (quiet || hasToken(cred)) {
		return Grant{}, nil
	}
	if user, password, ok := basicOf(cred); ok {
		return Grant{
			Header: basicHeader(user, password), Plain: known.is("basic") && known.plain, Unasked: !known.is("basic") && !settled,
		}, nil
	}
	return Grant{}, nil
}

// Learn remembers the challenge of a 401 to a request that said tried. What it
// returns answers it: with what to send again, or with why there is nothing
// better to send. It may be called when resp is closed.
func (m *Memory) Learn(resp *wire.Response, who Caller, tried Grant) Answer {
	cred := who.Credential
	c, ok := choose(ParseChallenges(resp.Header))
	if !ok {
		if tried.FromRealm() {
			return m.Renew(who, tried)
		}
		err := unauthorized(noScheme(resp, Secrets(cred, tried)))
		return func(context.Context) (Grant, error) { return Grant{}, err }
	}
	return m.remember(c, resp.Plain, who, tried)
}

// LearnPing does what Learn does, for the answer to a request for /v2/, which names no repository:
// a scope in its challenge is an example, if anything.
func (m *Memory) LearnPing(resp *wire.Response, who Caller, tried Grant) (answer Answer, ok bool) {
	c, ok := choose(ParseChallenges(resp.Header))
	if !ok || resp.Status != http.StatusUnauthorized {
		return nil, false
	}
	delete(c.Params, "scope")
	return m.remember(c, resp.Plain, who, tried), true
}

func (m *Memory) remember(c Challenge, plain bool, who Caller, tried Grant) Answer {
	cred := who.Credential
	known := &learnt{scheme: c.Scheme, realm: c.Params["realm"], service: c.Params["service"], plain: plain}
	known.shared = known.scheme == "basic" || m.isOwn(known.realm)
	m.mu.Lock()
	m.tenant(cred.ID()).challenge = known
	if known.shared {
		m.challenge = known
	}
	m.mu.Unlock()
	sent := tried.Plain || !plain
	refused := tried.token
	if !sent {
		refused = ""
	}
	scope := c.Params["scope"]
	return func(ctx context.Context) (Grant, error) {
		switch {
		case tried.refused != nil && *tried.from == *known && (scope == "" || scope == tried.scope):
			return Grant{}, tried.refused
		case known.is("basic"):
			return answerBasic(cred, tried.Header, sent, known.plain)
		case cred.RegistryToken() != "":
			if sent {
				return Grant{}, unauthorized("the pull secret's registry token for it is refused")
			}
			return Grant{Header: tried.Header, Plain: known.plain, token: tried.token}, nil
		}
		return m.fresh(ctx, known, scope, refused, who)
	}
}

// fresh gets a token other than the one that was refused.
func (m *Memory) fresh(ctx context.Context, known *learnt, scope, refused string, who Caller) (Grant, error) {
	b, err := m.token(ctx, known, scope, refused, who)
	if err != nil {
		return Grant{scope: b.scope, from: known}, err
	}
	return known.grant(b), nil
}

// Renew gets a token in place of one that a registry no longer takes.
func (m *Memory) Renew(who Caller, tried Grant) Answer {
	return func(ctx context.Context) (Grant, error) {
		return m.fresh(ctx, tried.from, tried.scope, tried.token, who)
	}
}

// Guess gets a token with the scope that the distribution specification has for the
// repository. It is for registries whose challenge names another, such as an example.
func (m *Memory) Guess(who Caller, tried Grant) Answer {
	return func(ctx context.Context) (Grant, error) {
		return m.fresh(ctx, tried.from, guess(who.Repository), tried.token, who)
	}
}

// Quiet remembers that a registry answers better where no password is sent unasked.
func (m *Memory) Quiet(cred provider.Credential) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tenant(cred.ID()).quiet = true
}

// Settle remembers that a registry refuses the credential, asked for or not.
func (m *Memory) Settle(cred provider.Credential) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tenant(cred.ID()).settled = true
}

// Ping reports whether a registry should be asked for a challenge that it has not shown
// yet to whoever has cred. Reports true once.
func (m *Memory) Ping(cred provider.Credential) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := cred.ID()
	if m.known(id) != nil || m.tenant(id).pinged {
		return false
	}
	m.tenant(id).pinged = true
	return true
}

// OffersTokens reports whether resp asks for a bearer token.
func OffersTokens(resp *wire.Response) bool {
	c, ok := choose(ParseChallenges(resp.Header))
	return ok && c.Scheme == "bearer"
}

// Challenges reports whether resp asks for anything that can be answered.
func Challenges(resp *wire.Response) bool {
	_, ok := choose(ParseChallenges(resp.Header))
	return ok
}

func answerBasic(cred provider.Credential, tried string, sent, plain bool) (Grant, error) {
	user, password, ok := basicOf(cred)
	if !ok {
		return Grant{}, unauthorized(wanting(cred))
	}
	g := Grant{Header: basicHeader(user, password), Plain: plain}
	if sent && g.Header == tried {
		return Grant{}, unauthorized("the pull secret's user name or password for it is refused")
	}
	return g, nil
}

// Secrets returns the strings that must not show anywhere: cred's own and those of g.
func Secrets(cred provider.Credential, g Grant) []string {
	s := []string{cred.IdentityToken(), cred.RegistryToken(), g.token}
	if user, password, ok := cred.Basic(); ok {
		s = append(s, password, encoded(user, password))
	}
	return s
}
