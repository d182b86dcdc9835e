package wire

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// staggered is how long an address has for itself before the next one is tried beside
// it (RFC 8305, 5, "Connection Attempt Delay": 250 ms is recommended; [net.Dialer] has
// 300).
const staggered = 300 * time.Millisecond

// racer dials the addresses of a name so that a dead one costs little. [net.Dialer]
// races one family against the other, but within a family it gives the first address a
// share of its time that is longer than an attempt here may take.
type racer struct {
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dial   dialFunc
	guard  guard
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// DialContext connects to the first address of a name that answers.
func (r *racer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	dial := r.guard.around(r.dial, host)
	if _, err := netip.ParseAddr(host); err == nil {
		return dial(ctx, network, address)
	}
	addrs, err := r.lookup(ctx, host)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	addrs = alternate(addrs)
	if len(addrs) == 0 {
		return nil, &net.OpError{Op: "dial", Net: network, Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
	}
	return race(ctx, dial, network, addrs, port)
}

// race tries the addresses one after another, each a while after the one before or as
// soon as that has failed. The error is that of the first address.
func race(ctx context.Context, dial dialFunc, network string, addrs []netip.Addr, port string) (net.Conn, error) {
	type result struct {
		n    int
		conn net.Conn
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result)
	started, running := 0, 0
	start := func() {
		n := started
		started++
		running++
		go func() {
			conn, err := dial(ctx, network, net.JoinHostPort(addrs[n].String(), port))
			select {
			case results <- result{n, conn, err}:
			case <-ctx.Done():
				if conn != nil {
					_ = conn.Close()
				}
			}
		}()
	}
	start()
	next := time.NewTimer(staggered)
	defer next.Stop()
	var first error
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-next.C:
		case got := <-results:
			running--
			if got.err == nil {
				return got.conn, nil
			}
			if first == nil || got.n == 0 {
				first = got.err
			}
			if started == len(addrs) {
				if running == 0 {
					return nil, first
				}
				continue
			}
		}
		if started < len(addrs) {
			start()
			next.Reset(staggered)
		}
	}
}

// alternate sorts addresses so that the families take turns, each in the resolver's
// own order, beginning with the family of the first (RFC 8305, 4).
func alternate(addrs []netip.Addr) []netip.Addr {
	var same, other []netip.Addr
	for i, a := range addrs {
		a = a.Unmap()
		addrs[i] = a
		if a.Is4() == addrs[0].Is4() {
			same = append(same, a)
		} else {
			other = append(other, a)
		}
	}
	all := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(same), len(other)) {
		if i < len(same) {
			all = append(all, same[i])
		}
		if i < len(other) {
			all = append(all, other[i])
		}
	}
	return all
}

// lookup returns f, or the system's resolver.
func lookup(f func(ctx context.Context, host string) ([]netip.Addr, error)) func(ctx context.Context, host string) ([]netip.Addr, error) {
	if f != nil {
		return f
	}
	return func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
}
