package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"
)

// Timeouts are the limits of one HTTP exchange. All must be positive.
type Timeouts struct {
	Connect   time.Duration // name, connection, TLS and proxy together
	FirstByte time.Duration // from the connection to the end of the answer's header
	Silence   time.Duration // without progress in a body; see minProgress
}

// orNone returns t, or no limits where nobody else could be asked instead and the caller
// has a deadline.
func (t Timeouts) orNone(ctx context.Context, last bool) Timeouts {
	if _, ok := ctx.Deadline(); !ok || !last {
		return t
	}
	return Timeouts{noLimit, noLimit, noLimit}
}

const noLimit = time.Duration(math.MaxInt64)

// Config is what a [Host] is made of.
type Config struct {
	// Address is the host and, where it is not the scheme's own, the port.
	Address string
	// Insecure allows plain HTTP. TLS must then have InsecureSkipVerify set.
	Insecure bool
	TLS      *tls.Config
	Proxy    func(*http.Request) (*url.URL, error)
	Dial     func(ctx context.Context, network, address string) (net.Conn, error)
	// Lookup finds the addresses of names; nil is the system's resolver. It is not
	// used with Dial.
	Lookup    func(ctx context.Context, host string) ([]netip.Addr, error)
	UserAgent string
	Timeouts  Timeouts
	// Unread names certificates that could not be read, "" for none. It is told where
	// a connection fails for want of them.
	Unread string
	// Observe, if not nil, is told of every exchange when it is over.
	Observe func(Exchange)
	// Refuse and HideElsewhere are RefuseNetworks and HideElsewhere of package registry.
	Refuse        []netip.Prefix
	HideElsewhere bool
}

// Host is one server, with connections of its own. It is safe for concurrent use.
type Host struct {
	address   string
	insecure  bool
	agent     string
	limits    Timeouts
	unread    string
	observe   func(Exchange)
	hide      bool
	transport *http.Transport

	// plain is set once an insecure host has answered over http and not https.
	plain atomic.Bool
	// asked is set when the host asked for a client certificate, and we had none.
	asked atomic.Bool
	// untrusted is set while the last connection failed for want of trust.
	untrusted atomic.Bool
}

// Connections kept per host. Over HTTP/2 one is enough; without, as many as
// lookups ran at once last time, within reason.
const maxIdle = 32

// NewHost connects to nothing yet.
func NewHost(c Config) *Host {
	// The transport finishes a connection that nobody waits for any more, within
	// this; who does wait has the watchdog's limit, or none where there is no other
	// candidate.
	background := 20 * c.Timeouts.Connect
	guarded := guard{c.Refuse, hostname(c.Address)}
	dial := c.Dial
	if dial == nil {
		dial = (&racer{
			lookup: lookup(c.Lookup),
			dial:   (&net.Dialer{Timeout: background, KeepAlive: 15 * time.Second}).DialContext,
			guard:  guarded,
		}).DialContext
	}
	h := &Host{address: c.Address, insecure: c.Insecure, agent: c.UserAgent, limits: c.Timeouts, unread: c.Unread, observe: c.Observe, hide: c.HideElsewhere}
	config := c.TLS.Clone()
	if len(config.Certificates) == 0 {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			h.asked.Store(true)
			return new(tls.Certificate), nil
		}
	}
	h.transport = &http.Transport{
		Proxy:               guarded.proxy(quietProxy(c.Proxy)),
		DialContext:         dial,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: background,
		ForceAttemptHTTP2:   true,
		DisableCompression:  true, // digests are of the bytes as sent
		MaxIdleConns:        2 * maxIdle,
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     60 * time.Second,

		OnProxyConnectResponse: judgeProxy,
		MaxResponseHeaderBytes: 64 << 10,

		// A dead connection would otherwise be given to every later request.
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: c.Timeouts.Silence,
			PingTimeout:     c.Timeouts.FirstByte,
		},
	}
	return h
}

// Address returns the host as it was configured.
func (h *Host) Address() string { return h.address }

// Insecure reports whether plain HTTP is allowed.
func (h *Host) Insecure() bool { return h.insecure }

// Untrusted reports whether the host's certificate was refused when a connection was last
// made.
func (h *Host) Untrusted() bool { return h.untrusted.Load() }

// CloseIdleConnections closes connections that nothing uses now.
func (h *Host) CloseIdleConnections() { h.transport.CloseIdleConnections() }

// once makes one exchange. connected tells whether a connection, TLS included,
// was there before anything went wrong.
func (h *Host) once(ctx context.Context, scheme string, r Request) (_ *Response, connected bool, _ error) {
	watched, w := watch(ctx, h.limits.orNone(ctx, r.Last))
	var got, fresh atomic.Bool // hooks run on other goroutines
	traced := httptrace.WithClientTrace(watched, &httptrace.ClientTrace{
		GetConn: func(string) { w.enter(connecting) },
		GotConn: func(i httptrace.GotConnInfo) {
			got.Store(true)
			fresh.Store(!i.Reused)
			w.enter(waiting)
		},
		WroteRequest: func(httptrace.WroteRequestInfo) {
			if r.Sent != nil {
				r.Sent()
			}
		},
	})
	req := h.build(traced, scheme, r)
	rec := h.record(req.Method, scheme, &r)
	resp, err := h.transport.RoundTrip(req)
	if err != nil {
		if _, refused := errors.AsType[*tls.CertificateVerificationError](err); refused {
			h.untrusted.Store(true)
		}
		err = w.explain(err)
		w.end()
		if fresh.Load() && h.asked.Load() {
			err = withoutCertificate(err)
		}
		if h.unread != "" {
			err = forWantOf(h.unread, err)
		}
		if r.Elsewhere {
			err = elsewhere(err)
		}
		rec.failed(err)
		rec.end()
		return nil, got.Load(), err
	}
	h.untrusted.Store(false)
	w.enter(reading)
	rec.status(resp.StatusCode)
	return &Response{
		Status: resp.StatusCode, Header: resp.Header, Size: resp.ContentLength,
		Plain: scheme == "http", Host: h.address, body: resp.Body, watch: w, record: rec, elsewhere: r.Elsewhere,
	}, true, nil
}

// quietProxy keeps a proxy's address, which may hold a password, out of errors.
func quietProxy(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	if proxy == nil {
		return nil
	}
	return func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil {
			return nil, errors.New("the proxy's address cannot be parsed; check HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
		}
		return u, nil
	}
}

// judgeProxy names the proxy that refuses a connection. Its address is told without what may
// be a password.
func judgeProxy(_ context.Context, proxy *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	why := ""
	if resp.StatusCode == http.StatusProxyAuthRequired {
		why = "; it wants a user name and a password, and its address in the environment has none, or wrong ones"
	}
	return fmt.Errorf("the proxy %s refuses the connection: %s%s", proxy.Host, resp.Status, why)
}
