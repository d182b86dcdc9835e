package registry

import (
	"context"
	"errors"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// Head asks for the digest of what req.Image names: one HEAD of the manifest.
//
// A registry that denies by HEAD what it has (some proxy caches answer 404 until a
// GET has made them fetch it) is asked again by GET before it is believed, and from
// then on by GET alone. An answer to HEAD that names no digest, or for a digest
// another one, proves nothing either: a GET, verified, does.
func (p *Provider) Head(ctx context.Context, req provider.Request) (digest string, err error) {
	if err := p.check(&req); err != nil {
		return "", err
	}
	s := p.sourceOf(req)
	if err := knownDigest(s.ref.Digest()); err != nil {
		return "", located(s.ref, "", fail(provider.ClassInvalid, err))
	}
	ep, err := p.endpoints.get(s.ref.Registry(), s.insecure, s.byPolicy)
	if err != nil {
		return "", located(s.ref, "asking for the manifest", err)
	}
	denied := false
	if !ep.headless.Load() {
		digest, err = p.head(ctx, s)
		switch {
		case err == nil && digest != "":
			return digest, nil
		case err != nil && !deniable(err):
			return "", located(s.ref, "asking for the manifest", err)
		}
		denied = err != nil
	}
	v, _, err := p.document(ctx, s, s.ref.Identifier(), nil, "")
	if err != nil {
		return "", located(s.ref, "reading the manifest", err)
	}
	if denied {
		ep.headless.Store(true)
	}
	return v.digest, nil
}

// head returns the digest that an answer to HEAD names, "" if that proves nothing.
func (p *Provider) head(ctx context.Context, s source) (string, error) {
	resp, err := p.send(ctx, s, wire.Request{Path: s.path("manifests/" + s.ref.Identifier()), Accept: accepted, Head: true})
	if err != nil {
		return "", err
	}
	defer resp.Close()
	h, err := v1.NewHash(resp.Header.Get("Docker-Content-Digest"))
	if err != nil || s.ref.Digest() != "" && h.String() != s.ref.Digest() {
		return "", nil
	}
	return h.String(), nil
}

// deniable reports whether GET may say something else than the answer err to HEAD:
// whatever the registry answered, unless it wants other credentials or is too busy.
func deniable(err error) bool {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Status == 0 {
		return false
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusTooManyRequests,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}
