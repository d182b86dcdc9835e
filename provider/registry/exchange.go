package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

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
	last     bool // no other candidate is left
	byPolicy bool // a policy named this place
	rules    *policy.Rules
	owner    provider.CredentialOwner
	unusable string // what is wrong with the pull secret's entry, if anything

	blobs Blobs // what may be read from here instead; nil is nothing
	alone bool  // nothing may be read from anywhere else
}

func (p *Provider) sourceOf(req provider.Request) source {
	cred, _ := req.Credentials.For(req.Image)
	return source{
		ref: req.Image.Normalize(), cred: cred, insecure: req.Insecure || p.cfg.Insecure, last: req.Last, byPolicy: req.ByPolicy, rules: req.Rules,
		owner: req.CredentialOwner, unusable: req.Credentials.Unusable(req.Image),
	}
}

// get asks for "manifests/..." or "blobs/..." of a repository, authenticates if
// it must and follows redirects. The answer is 200 or an error; with unless, a
// digest that is known already, it may be 304.
func (p *Provider) get(ctx context.Context, s source, what string, accept []string, unless string) (*wire.Response, error) {
	return p.send(ctx, s, wire.Request{Path: s.path(what), Accept: accept, IfNoneMatch: unless})
}

// path returns the path of "manifests/..." or "blobs/..." of the repository.
func (s source) path(what string) string { return "/v2/" + s.ref.Repository() + "/" + what }

func (p *Provider) send(ctx context.Context, s source, req wire.Request) (*wire.Response, error) {
	if err := wire.ContextError(ctx); err != nil {
		return nil, err
	}
	ep, err := p.endpoints.get(s.ref.Registry(), s.insecure, s.byPolicy)
	if err != nil {
		return nil, err
	}
	req.Last = s.last
	resp, grant, err := ep.ask(ctx, req, s)
	secrets := auth.Secrets(s.cred, grant)
	if err == nil && wire.IsRedirect(resp.Status) {
		req.Authorization, req.PlainAuthorization = grant.Header, grant.Plain
		resp, err = p.redirected(ctx, ep, s, req, resp, secrets)
	}
	switch {
	case err != nil:
		err = wire.Withhold(err, secrets...)
	case resp.Status == http.StatusOK, resp.Status == http.StatusPartialContent && req.From > 0,
		resp.Status == http.StatusNotModified && req.IfNoneMatch != "":
		return resp, nil
	case resp.Status == http.StatusUnauthorized:
		err = s.refused(wire.StatusError(resp, secrets...))
	default:
		err = wire.StatusError(resp, secrets...)
	}
	return nil, s.inStandardWords(err, req.Path)
}

// inStandardWords returns err with the words of docker/distribution and of Quay in its text,
// by which programs tell that an image is not there, or that it may not be read. Some
// registries send none, and no answer to HEAD has any. An entry of the pull secret that
// was left out is named where it may be the reason.
func (s source) inStandardWords(err error, path string) error {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok {
		return err
	}
	words := ""
	switch {
	case e.Class == provider.ClassUnauthorized && s.unusable != "":
		words = "access to the requested resource is not authorized: the pull secret's entry for it cannot be used: " + s.unusable
	case e.Class == provider.ClassUnauthorized:
		words = "access to the requested resource is not authorized"
	case e.Class == provider.ClassNotFound && strings.Contains(path, "/manifests/"):
		words = "manifest unknown"
	case e.Class == provider.ClassNotFound && strings.HasSuffix(path, "/tags/list"):
		words = "repository name unknown"
	case e.Class == provider.ClassNotFound:
		words = "blob unknown"
	}
	if words == "" || e.Err != nil && strings.Contains(strings.ToLower(e.Err.Error()), words) {
		return err
	}
	c := *e
	c.Err = errors.New(words)
	if e.Err != nil {
		c.Err = fmt.Errorf("%s: %w", words, e.Err)
	}
	return &c
}

// refused says what a 401 means for who gets it.
func (s source) refused(e *provider.Error) error {
	why := "the pull secret's entry for it is refused"
	switch {
	case s.unusable != "": // see inStandardWords
		return e
	case s.owner == provider.CredentialMirror:
		why = "the credentials for mirrors of this lookup are refused"
	case s.owner == provider.CredentialOperator:
		why = "the operator's credentials for the mirror are refused"
	case s.cred.IsZero():
		why = "the pull secret has no entry for it"
	}
	if e.Err != nil {
		why = fmt.Sprintf("%s: %v", why, e.Err)
	}
	c := *e
	c.Err = errors.New(why)
	return &c
}

// redirected follows a redirect, to whichever host: registries keep blobs in
// object stores. It takes Authorization along only as long as it stays on the registry's
// own host and port, and goes to http only from an insecure endpoint, and to nothing
// that policy blocks. The answer may have any status.
func (p *Provider) redirected(ctx context.Context, from *endpoint, s source, req wire.Request, resp *wire.Response, secrets []string) (*wire.Response, error) {
	at := &url.URL{Scheme: "https", Host: from.host.Address(), Path: req.Path}
	if resp.Plain {
		at.Scheme = "http"
	}
	home := at
	for range wire.MaxRedirects {
		to, err := resp.Redirect(at)
		resp.Close()
		if err != nil {
			return nil, err
		}
		if to.Scheme == "http" && !s.insecure {
			return nil, &provider.Error{Class: provider.ClassTLS, Elsewhere: true,
				Err: errors.New("a redirect from https to plain HTTP is not followed; a policy must call the registry insecure first")}
		}
		op := "redirected to " + to.Host
		secrets = append(secrets, queryValues(to)...)
		if by, forbidden := s.rules.Forbids(to, at.Host); forbidden {
			return nil, wire.Withhold(auth.Forbidden("a redirect to", to.Host, by), secrets...)
		}
		next := wire.Request{
			Scheme: to.Scheme, Path: to.Path, RawPath: to.EscapedPath(), Query: to.RawQuery,
			Accept: req.Accept, From: req.From, Head: req.Head, Last: req.Last,
			Chosen: true, Elsewhere: !wire.SameHost(to.Host, home.Host), Secrets: secrets,
		}
		ep := from
		if to.Scheme == home.Scheme && !next.Elsewhere {
			next.Authorization, next.PlainAuthorization = req.Authorization, req.PlainAuthorization
		} else {
			req.Authorization = "" // it has left; coming back does not count
		}
		if next.Elsewhere {
			if ep, err = p.endpoints.ledTo(to.Host, from, s.insecure || s.rules.InsecureHost(to.Host)); err != nil {
				return nil, wire.Withhold(err, secrets...)
			}
		}
		if resp, err = ep.host.Do(ctx, next); err != nil {
			return nil, wire.Withhold(during(op, err), secrets...)
		}
		switch {
		case wire.IsRedirect(resp.Status):
		case resp.Status < http.StatusBadRequest:
			return resp, nil
		case next.Elsewhere:
			return nil, wire.Withhold(during(op, wire.Status(resp)), secrets...)
		default:
			return nil, wire.Withhold(during(op, wire.StatusError(resp, secrets...)), secrets...)
		}
		at = to
	}
	resp.Close()
	return nil, fail(provider.ClassMalformed, fmt.Errorf("more than %d redirects", wire.MaxRedirects))
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

// queryValues returns the values of a query that may be secret, since object stores
// sign URLs.
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
