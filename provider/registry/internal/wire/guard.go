package wire

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// guard keeps connections of a host out of some networks. It judges the address that is
// dialled, when its name has been looked up.
type guard struct {
	networks []netip.Prefix // none: nothing is refused
	host     string         // that is guarded, without its port
}

// refusedNetwork is the error for an address in a refused network.
type refusedNetwork struct{ addr netip.Addr }

func (e *refusedNetwork) Error() string {
	return fmt.Sprintf("its address %s is in a network that is refused for registries which no policy names", e.addr)
}

// nat64 is the prefix of addresses that reach IPv4 through a translator (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// check returns an error if addr is refused.
func (g guard) check(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		bytes := addr.As16()
		addr = netip.AddrFrom4([4]byte(bytes[12:]))
	}
	if addr.IsLoopback() || addr.IsLinkLocalUnicast() || addr.IsMulticast() || addr.IsUnspecified() ||
		slices.ContainsFunc(g.networks, func(p netip.Prefix) bool { return p.Contains(addr) }) {
		return &refusedNetwork{addr}
	}
	return nil
}

// around returns dial for connections to host: with the guard, unless that is a proxy. dial
// is given addresses and no names.
func (g guard) around(dial dialFunc, host string) dialFunc {
	if len(g.networks) == 0 || !strings.EqualFold(host, g.host) {
		return dial
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Err: err}
		}
		if err := g.check(to.Addr()); err != nil {
			return nil, err
		}
		return dial(ctx, network, address)
	}
}

// proxy returns f with the guard. Behind a proxy names are its to look up: only a host that
// is named by its address can be judged.
func (g guard) proxy(f func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if len(g.networks) == 0 || f == nil {
		return f
	}
	return func(r *http.Request) (*url.URL, error) {
		u, err := f(r)
		if addr, notOne := netip.ParseAddr(g.host); err == nil && u != nil && notOne == nil {
			err = g.check(addr)
		}
		return u, err
	}
}
