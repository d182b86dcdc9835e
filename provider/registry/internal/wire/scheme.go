package wire

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// ErrPlainRefused says that a secure host would have been spoken to over http.
var ErrPlainRefused = errors.New("refusing plain HTTP: no policy calls the host insecure")

// Do sends r and returns the answer, whatever its status. An insecure host is
// asked over https first, then over http if no connection comes about that way;
// what worked is remembered. Errors are [*provider.Error]s without Op and Ref.
func (h *Host) Do(ctx context.Context, r Request) (*Response, error) {
	resp, err := h.do(ctx, r)
	if err != nil && r.Elsewhere && h.hide {
		err = hidden(err)
	}
	return resp, err
}

func (h *Host) do(ctx context.Context, r Request) (*Response, error) {
	switch {
	case r.Scheme == "http" && !h.insecure:
		return nil, &provider.Error{Class: provider.ClassTLS, Err: ErrPlainRefused}
	case r.Scheme != "":
		resp, _, err := h.once(ctx, r.Scheme, r)
		return resp, err
	case !h.insecure:
		resp, _, err := h.once(ctx, "https", r)
		return resp, err
	}

	if h.plain.Load() {
		resp, _, err := h.once(ctx, "http", r)
		if err == nil && resp.Status != http.StatusBadRequest {
			return resp, nil
		}
		// It may have learnt TLS meanwhile: servers say 400 to http then.
		h.plain.Store(false)
		return resp, err
	}
	resp, connected, tlsErr := h.once(ctx, "https", r)
	if tlsErr == nil || connected || ctx.Err() != nil {
		return resp, tlsErr
	}
	resp, _, err := h.once(ctx, "http", r)
	if err != nil {
		return nil, bothFailed(tlsErr, err)
	}
	h.plain.Store(resp.Status != http.StatusBadRequest)
	return resp, nil
}

// bothFailed returns the error of an insecure host that answers neither way. The
// http attempt is the last one made; https's error is kept beside it.
func bothFailed(tlsErr, plainErr error) error {
	var p, t *provider.Error
	if !errors.As(plainErr, &p) || !errors.As(tlsErr, &t) || p.Class == provider.ClassCanceled {
		return plainErr
	}
	e := *p
	e.Err = &pair{p.Err, t.Err}
	return &e
}

type pair struct{ plain, tls error }

func (p *pair) Error() string {
	plain, tls := p.plain.Error(), p.tls.Error()
	if plain == tls { // no connection at all
		return plain
	}
	return plain + " (over https: " + tls + ")"
}

func (p *pair) Unwrap() []error { return []error{p.plain, p.tls} }

// IsHost reports whether what a server calls a host may be one: it goes into errors
// and records, so it is short and printable ASCII.
//
// A name that ends in a number and is no IP address ("127.1", "0x7f000001") is none
// either: some resolvers take it for an address, and then nobody sees which it is.
func IsHost(address string) bool {
	if address == "" || len(address) > 255 || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	name := strings.TrimRight(hostname(address), ".")
	last := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	if strings.Trim(last, "0123456789") != "" && !strings.HasPrefix(last, "0x") {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// SameMachine reports whether two addresses differ at most in their port.
func SameMachine(a, b string) bool { return strings.EqualFold(hostname(a), hostname(b)) }

// SameHost reports whether two addresses are the same, port and all. A port that
// is https's own need not be written.
func SameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, ":443"), strings.TrimSuffix(b, ":443"))
}

func hostname(address string) string { return (&url.URL{Host: address}).Hostname() }
