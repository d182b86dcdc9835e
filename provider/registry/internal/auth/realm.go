package auth

import (
	"context"
	"errors"
	"net/url"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// follow sends a token request, and again where the realm sends it to another path of
// its own over TLS. Credentials go to no other host than the one that the registry's
// challenge named. It returns the host that answered or failed.
func (m *Memory) follow(ctx context.Context, x exchange, host *wire.Host, req wire.Request) (*wire.Response, *wire.Host, error) {
	at := &url.URL{Scheme: req.Scheme, Host: host.Address(), Path: req.Path, RawPath: req.RawPath, RawQuery: req.Query}
	for range wire.MaxRedirects {
		resp, err := host.Do(ctx, req)
		if err != nil || !wire.IsRedirect(resp.Status) {
			return resp, host, err
		}
		to, err := resp.Redirect(at)
		resp.Close()
		switch {
		case err != nil:
			return nil, host, err
		case !wire.SameHost(to.Host, at.Host) || to.Scheme != "https" || to.User != nil:
			return nil, host, &provider.Error{
				Class: provider.ClassUnauthorized, Status: resp.Status, Elsewhere: !m.isOwn(x.realm),
				Err: reason(wire.CleanText("the token realm redirects to " + to.Scheme + "://" + to.Host + "; credentials are not sent there")),
			}
		}
		req.Path, req.RawPath = to.Path, to.EscapedPath()
		if to.RawQuery != "" { // some repeat the query and some do not
			req.Query = to.RawQuery
		}
		at = to
	}
	return nil, host, &provider.Error{Class: provider.ClassMalformed, Elsewhere: !m.isOwn(x.realm), Err: errors.New("the token realm redirects too often")}
}

// unverified reports whether policy calls a realm's host insecure by its own name, or
// the user every host.
func (m *Memory) unverified(realm string, rules *policy.Rules) bool {
	if m.insecure {
		return true
	}
	u, err := url.Parse(realm)
	return err == nil && u.Host != "" && rules.InsecureHost(u.Host)
}
