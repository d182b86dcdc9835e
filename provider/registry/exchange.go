package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/auth"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// source is one repository as one request may read it.
type source struct {
	ref      imageref.Ref // normalized
	cred     provider.Credential
	insecure bool
	rules    *policy.Rules

	blobs Blobs // what may be read from here instead; nil is nothing
	alone bool  // nothing may be read from anywhere else
}

func sourceOf(req provider.Request) source {
	cred, _ := req.Credentials.For(req.Image)
	return source{ref: req.Image.Normalize(), cred: cred, insecure: req.Insecure, rules: req.Rules}
}

// maxRedirects is more than any registry needs.
const maxRedirects = 5

// get asks for "manifests/..." or "blobs/..." of a repository, authenticates if
// it must and follows redirects. The answer is 200 or an error; with unless, a
// digest that is known already, it may be 304.
func (p *Provider) get(ctx context.Context, s source, what, accept, unless string) (*wire.Response, error) {
	return p.send(ctx, s, wire.Request{Path: s.path(what), Accept: accept, IfNoneMatch: unless})
}

// path is that of "manifests/..." or "blobs/..." of the repository.
func (s source) path(what string) string { return "/v2/" + s.ref.Repository() + "/" + what }

func (p *Provider) send(ctx context.Context, s source, req wire.Request) (*wire.Response, error) {
	if err := wire.ContextError(ctx); err != nil {
		return nil, err
	}
	ep, err := p.endpoints.get(s.ref.Registry(), s.insecure)
	if err != nil {
		return nil, err
	}
	resp, grant, err := ep.ask(ctx, req, s)
	secrets := auth.Secrets(s.cred, grant)
	if err != nil {
		return nil, wire.Withhold(err, secrets...)
	}
	switch {
	case resp.Status == http.StatusOK, resp.Status == http.StatusNotModified && req.IfNoneMatch != "":
		return resp, nil
	case isRedirect(resp.Status):
		return p.redirected(ctx, ep.host, s, req, resp, secrets)
	case resp.Status == http.StatusUnauthorized:
		return nil, refused(wire.StatusError(resp, secrets...), s.cred)
	}
	return nil, wire.StatusError(resp, secrets...)
}

// ask sends req with what s may say, and once more if that draws a challenge
// that s can answer. Whatever the answer then is, it is the answer, unless what was
// sent the second time was a token from before, which may be void: then a new one is
// got, and is the last.
func (ep *endpoint) ask(ctx context.Context, req wire.Request, s source) (*wire.Response, auth.Grant, error) {
	first, err := ep.auth.Enter(ctx, s.cred)
	if err != nil {
		return nil, auth.Grant{}, err
	}
	defer first.End(false)

	who := auth.Caller{Credential: s.cred, Repository: s.ref.Repository(), Rules: s.rules}
	grant, err := ep.auth.Authorize(ctx, who)
	if err != nil {
		return nil, grant, err
	}
	began := time.Now()
	req.Authorization, req.PlainAuthorization = grant.Header, grant.Plain
	req.Sent = first.Sent
	resp, err := ep.host.Do(ctx, req)
	if err != nil {
		return nil, grant, err
	}
	if resp.Status != http.StatusUnauthorized {
		first.End(true)
		return resp, grant, nil
	}
	answer := ep.auth.Learn(resp, who, grant)
	first.End(true)
	resp, grant, err = ep.again(ctx, req, resp, answer)
	if err == nil && resp.Status == http.StatusUnauthorized && grant.Older(began) {
		resp, grant, err = ep.again(ctx, req, resp, ep.auth.Learn(resp, who, grant))
	}
	return resp, grant, err
}

// again sends req with the answer to the challenge of resp.
func (ep *endpoint) again(ctx context.Context, req wire.Request, resp *wire.Response, answer func(context.Context) (auth.Grant, error)) (*wire.Response, auth.Grant, error) {
	resp.Close() // before a token is asked for: it may be the same connection
	grant, err := answer(ctx)
	if err != nil {
		return nil, grant, err
	}
	req.Authorization, req.PlainAuthorization, req.Sent = grant.Header, grant.Plain, nil
	resp, err = ep.host.Do(ctx, req)
	return resp, grant, err
}

// refused says what a 401 means for who gets it.
func refused(e *provider.Error, cred provider.Credential) error {
	why := "the pull secret's entry for it is refused"
	if cred.IsZero() {
		why = "the pull secret has no entry for it"
	}
	if e.Err != nil {
		why = fmt.Sprintf("%s: %v", why, e.Err)
	}
	c := *e
	c.Err = errors.New(why)
	return &c
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirected follows a redirect, to whichever host: registries keep blobs in
// object stores. It takes no Authorization along, not even to the same host, and
// goes to http only from an insecure endpoint, and to nothing that policy
// blocks.
func (p *Provider) redirected(ctx context.Context, from *wire.Host, s source, req wire.Request, resp *wire.Response, secrets []string) (*wire.Response, error) {
	at := &url.URL{Scheme: "https", Host: from.Address(), Path: req.Path}
	if resp.Plain {
		at.Scheme = "http"
	}
	for range maxRedirects {
		to, err := at.Parse(resp.Header.Get("Location"))
		resp.Close()
		if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http" {
			return nil, fail(provider.ClassMalformed, errors.New("a redirect to what is no http or https URL"))
		}
		if to.Scheme == "http" && !s.insecure {
			return nil, &provider.Error{Class: provider.ClassTLS, Elsewhere: true,
				Err: errors.New("a redirect from https to plain HTTP is not followed; a policy must call the registry insecure first")}
		}
		if !wire.IsHost(to.Host) {
			return nil, fail(provider.ClassMalformed, errors.New("a redirect to a host that is none"))
		}
		op := "redirected to " + to.Host
		secrets = append(secrets, queryValues(to)...)
		if by, forbidden := s.rules.Forbids(to, at.Host); forbidden {
			return nil, wire.Withhold(auth.Forbidden("a redirect to", to.Host, by), secrets...)
		}
		ep, err := p.endpoints.get(to.Host, s.insecure)
		if err != nil {
			return nil, wire.Withhold(err, secrets...)
		}
		resp, err = ep.host.Do(ctx, wire.Request{Scheme: to.Scheme, Path: to.Path, RawPath: to.EscapedPath(), Query: to.RawQuery, Accept: req.Accept, Head: req.Head,
			Chosen: true, Elsewhere: !wire.SameHost(to.Host, from.Address()), Secrets: secrets})
		if err != nil {
			return nil, wire.Withhold(during(op, err), secrets...)
		}
		switch {
		case resp.Status == http.StatusOK:
			return resp, nil
		case !isRedirect(resp.Status):
			answer := wire.Status
			if wire.SameHost(to.Host, from.Address()) {
				answer = func(r *wire.Response) *provider.Error { return wire.StatusError(r, secrets...) }
			}
			return nil, wire.Withhold(during(op, answer(resp)), secrets...)
		}
		at = to
	}
	resp.Close()
	return nil, fail(provider.ClassMalformed, fmt.Errorf("more than %d redirects", maxRedirects))
}

// during adds where an error happened.
func during(op string, err error) error {
	if e, ok := errors.AsType[*provider.Error](err); ok {
		c := *e
		c.Op = op
		return &c
	}
	return err
}

// queryValues are secrets too: object stores sign URLs.
func queryValues(u *url.URL) []string {
	var all []string
	for _, vs := range u.Query() {
		for _, v := range vs {
			if len(v) >= 8 { // shorter ones are no signatures, and words like "true" are in any message
				all = append(all, v)
			}
		}
	}
	return all
}
