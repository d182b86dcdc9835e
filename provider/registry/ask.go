package registry

import (
	"context"
	"net/http"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/auth"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// question is one request, and all that it takes to have it answered: at most a
// handful of exchanges, whatever the registry says.
type question struct {
	ep    *endpoint
	req   wire.Request
	who   auth.Caller
	began time.Time
}

// ask sends req with what s may say, and once more if that draws a challenge
// that s can answer. Whatever the answer then is, it is the answer, except where what
// was sent may be to blame: a token from before, which may be void, or a token of a
// scope that the registry named as an example.
func (ep *endpoint) ask(ctx context.Context, req wire.Request, s source) (*wire.Response, auth.Grant, error) {
	first, err := ep.auth.Enter(ctx, s.cred)
	if err != nil {
		return nil, auth.Grant{}, err
	}
	defer first.End(false)

	q := &question{ep: ep, req: req, who: auth.Caller{Credential: s.cred, Repository: s.ref.Repository(), Rules: s.rules}}
	grant, err := ep.auth.Authorize(ctx, q.who)
	if err != nil {
		return nil, grant, err
	}
	q.began = time.Now()
	q.req.Sent = first.Sent
	resp, err := q.say(ctx, grant)
	if err != nil {
		return nil, grant, err
	}
	q.req.Sent = nil
	resp, grant, answer := q.hear(ctx, resp, grant)
	first.End(true)
	if answer == nil {
		return resp, grant, nil
	}
	return q.reply(ctx, resp, grant, answer)
}

func (q *question) say(ctx context.Context, g auth.Grant) (*wire.Response, error) {
	req := q.req
	req.Authorization, req.PlainAuthorization = g.Header, g.Plain
	return q.ep.host.Do(ctx, req)
}

// hear returns what resp, the answer to a request that said tried, is to be answered
// with. Without an Answer the response is the last word.
func (q *question) hear(ctx context.Context, resp *wire.Response, tried auth.Grant) (*wire.Response, auth.Grant, auth.Answer) {
	m := q.ep.auth
	switch status := resp.Status; {
	case isDenial(status) && tried.Unasked:
		return q.without(ctx, resp, tried)
	case isDenial(status) && tried.Older(q.began):
		// There are registries that say this of a token that has expired.
		return resp, tried, m.Renew(q.who, tried)
	case status == http.StatusUnauthorized && tried.FromRealm() && auth.Challenges(resp) && !auth.OffersTokens(resp):
		// Harbor asks for Basic where a token does not suffice.
		return q.without(ctx, resp, tried)
	case status == http.StatusUnauthorized && !auth.Challenges(resp) && !tried.FromRealm():
		if answer := q.ping(ctx, tried); answer != nil {
			return resp, tried, answer
		}
		return resp, tried, m.Learn(resp, q.who, tried)
	case status == http.StatusUnauthorized:
		return resp, tried, m.Learn(resp, q.who, tried)
	case status == http.StatusNotFound && !q.who.Credential.IsZero() && m.Ping(q.who.Credential):
		// It may hide what it has from those who do not say who they are.
		return resp, tried, q.ping(ctx, tried)
	}
	return resp, tried, nil
}

// isDenial reports whether a registry may mean the Authorization header.
func isDenial(status int) bool {
	return status == http.StatusBadRequest || status == http.StatusForbidden
}

// without sends the request once more without credentials, since those that were sent
// may be what the registry takes offence at. If that does not help, resp counts.
func (q *question) without(ctx context.Context, resp *wire.Response, tried auth.Grant) (*wire.Response, auth.Grant, auth.Answer) {
	m := q.ep.auth
	bare, err := q.say(ctx, auth.Grant{})
	if err == nil {
		switch {
		case bare.Status == http.StatusUnauthorized && auth.OffersTokens(bare):
			resp.Close()
			return bare, auth.Grant{}, m.Learn(bare, q.who, tried)
		case bare.Status < http.StatusBadRequest:
			m.Quiet(q.who.Credential)
			resp.Close()
			return bare, auth.Grant{}, nil
		}
		if bare.Status == http.StatusUnauthorized && auth.Challenges(bare) {
			m.Learn(bare, q.who, tried)
		}
		bare.Close()
		m.Settle(q.who.Credential)
	}
	if resp.Status == http.StatusUnauthorized {
		return resp, tried, m.Learn(resp, q.who, tried)
	}
	return resp, tried, nil
}

// ping asks for a challenge at /v2/, where every registry must have one if it has any
// (distribution-spec, "Determining Support"). It returns nil where there is none, or
// none but what was tried.
func (q *question) ping(ctx context.Context, tried auth.Grant) auth.Answer {
	resp, err := q.ep.host.Do(ctx, wire.Request{Path: "/v2/", Last: q.req.Last})
	if err != nil {
		return nil
	}
	defer resp.Close()
	if tried.Header != "" && !auth.OffersTokens(resp) {
		return nil
	}
	answer, ok := q.ep.auth.LearnPing(resp, q.who, tried)
	if !ok {
		return nil
	}
	return answer
}

// reply sends the request with an answer to what the registry wants.
func (q *question) reply(ctx context.Context, resp *wire.Response, tried auth.Grant, answer auth.Answer) (*wire.Response, auth.Grant, error) {
	m, guessed := q.ep.auth, tried.Guessed(q.who)
	resp, grant, err := q.resend(ctx, resp, answer)
	if !guessed && ctx.Err() == nil && grant.HasScope() && !grant.Guessed(q.who) && isRefusal(resp, err) {
		resp, grant, err = q.resend(ctx, resp, m.Guess(q.who, grant))
	}
	if err == nil && resp.Status == http.StatusUnauthorized && grant.Older(q.began) {
		resp, grant, err = q.resend(ctx, resp, m.Learn(resp, q.who, grant))
	}
	return resp, grant, err
}

// isRefusal reports whether somebody refuses the credential, or what it may do.
func isRefusal(resp *wire.Response, err error) bool {
	if err != nil {
		return provider.ClassOf(err) == provider.ClassUnauthorized
	}
	return resp.Status == http.StatusUnauthorized || isDenial(resp.Status)
}

// resend sends the request with an answer. resp, if any, is closed.
func (q *question) resend(ctx context.Context, resp *wire.Response, answer auth.Answer) (*wire.Response, auth.Grant, error) {
	if resp != nil {
		resp.Close() // before a token is asked for: it may be the same connection
	}
	grant, err := answer(ctx)
	if err != nil {
		return nil, grant, err
	}
	resp, err = q.say(ctx, grant)
	return resp, grant, err
}
