package testregistry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Endpoint is one listener of a registry: its own, the token endpoint's or the
// object storage's.
type Endpoint struct {
	name  string
	host  string
	port  int
	plain bool
	reg   *Registry

	server *http.Server
	certs  certificates
	holder io.Closer      // keeps the port while the listener is closed
	serves sync.WaitGroup // one per listener being served

	accepted, handshakes atomic.Int64

	mu      sync.Mutex
	gate    net.Listener // nil while down
	conns   map[*conn]struct{}
	silence bool
	shut    bool
}

// Stats counts what happened on an endpoint since it started.
type Stats struct {
	Connections int64 // accepted, whatever became of them
	Handshakes  int64 // TLS handshakes completed
}

func (r *Registry) listen(name string, plain bool, answer func(*http.Request, Request) answer) (*Endpoint, error) {
	e := &Endpoint{name: name, host: r.cfg.Host, plain: plain, reg: r, conns: make(map[*conn]struct{})}
	var err error
	if e.holder, e.port, err = holdPort(e.bindHost()); err != nil {
		return nil, err
	}
	if err := e.certs.issue(r.ca, append([]string{e.host}, r.cfg.Names...)); err != nil {
		_ = e.holder.Close()
		return nil, err
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!r.cfg.NoHTTP2 && !plain)
	e.server = &http.Server{
		Handler:   r.serve(e, answer),
		Protocols: &protocols,
		TLSConfig: e.tlsConfig(),
		ErrorLog:  log.New(io.Discard, "", 0), // failed handshakes are what tests are about
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, rawConn(c))
		},
	}
	if err := e.Up(); err != nil {
		_ = e.holder.Close()
		return nil, err
	}
	return e, nil
}

func (e *Endpoint) tlsConfig() *tls.Config {
	c := &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true, // every handshake is a whole one
		GetCertificate:         e.certs.get,
		VerifyConnection:       func(tls.ConnectionState) error { e.handshakes.Add(1); return nil },
	}
	if e.reg.cfg.RequireClientCertificate {
		c.ClientAuth, c.ClientCAs = tls.RequestClientCert, e.reg.ca.Pool() // so that one that is shown is seen
		if e.name == "registry" {
			c.ClientAuth = tls.RequireAndVerifyClientCert
		}
	}
	return c
}

// bindHost returns the address to listen on for a host.
func (e *Endpoint) bindHost() string {
	if net.ParseIP(e.host) != nil {
		return e.host
	}
	return "127.0.0.1"
}

// Addr returns "host:port".
func (e *Endpoint) Addr() string { return net.JoinHostPort(e.host, strconv.Itoa(e.port)) }

// URL returns "https://host:port" or "http://host:port".
func (e *Endpoint) URL() string {
	if e.plain {
		return "http://" + e.Addr()
	}
	return "https://" + e.Addr()
}

// Stats returns the endpoint's counters.
func (e *Endpoint) Stats() Stats {
	return Stats{Connections: e.accepted.Load(), Handshakes: e.handshakes.Load()}
}

// SetCertificate changes what is shown in handshakes from now on, and closes the
// connections there are. It does nothing without TLS.
func (e *Endpoint) SetCertificate(k CertificateKind) {
	e.certs.use(k)
	e.CloseConnections()
}

// Down closes the listener and all connections. The port is kept, and refuses.
func (e *Endpoint) Down() {
	e.mu.Lock()
	gate := e.gate
	e.gate, e.silence = nil, false
	e.mu.Unlock()
	if gate != nil {
		_ = gate.Close()
	}
	e.serves.Wait() // nothing is accepted any more
	e.CloseConnections()
}

// Up takes connections and answers them again.
func (e *Endpoint) Up() error {
	wasMute, err := e.open(false)
	if wasMute {
		e.CloseConnections() // those are past answering
	}
	return err
}

// Mute closes all connections and accepts new ones without ever answering.
func (e *Endpoint) Mute() error {
	_, err := e.open(true)
	e.CloseConnections()
	return err
}

func (e *Endpoint) open(silence bool) (wasMute bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	wasMute, e.silence = e.silence, silence
	if e.shut {
		return wasMute, errClosed
	}
	if e.gate != nil {
		return wasMute, nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(e.bindHost(), strconv.Itoa(e.port)))
	if err != nil {
		return wasMute, err
	}
	e.gate = &gate{l, e}
	e.serves.Go(func() {
		// Either returns when the listener is closed.
		if e.plain {
			_ = e.server.Serve(&gate{l, e})
		} else {
			_ = e.server.ServeTLS(&gate{l, e}, "", "")
		}
	})
	return wasMute, nil
}

// CloseConnections closes the connections there are, in the middle of an answer
// too, and gives their clients a moment to notice, so that the next request does
// not go into a dead connection. New ones are taken.
func (e *Endpoint) CloseConnections() {
	e.mu.Lock()
	var conns []*conn
	for c := range e.conns {
		conns = append(conns, c)
	}
	e.mu.Unlock()
	for _, c := range conns {
		if c.muted || c.CloseWrite() != nil {
			_ = c.Close()
		}
	}
	timeLimit := time.NewTimer(noticeTime)
	defer timeLimit.Stop()
	for _, c := range conns {
		select {
		case <-c.closed: // the client closed its end, and so did the server
		case <-timeLimit.C:
			timeLimit.Reset(0)
		}
		_ = c.Close()
	}
}

// noticeTime is how long clients get to notice that a connection was closed.
const noticeTime = 250 * time.Millisecond

func (e *Endpoint) close() {
	e.mu.Lock()
	e.shut = true
	e.mu.Unlock()
	e.Down()
	_ = e.server.Close()
	_ = e.holder.Close()
}

// gate accepts connections, counts them, and keeps them to itself while mute.
type gate struct {
	net.Listener
	e *Endpoint
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		raw, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		tcp, ok := raw.(*net.TCPConn)
		if !ok {
			return nil, errors.New("not a TCP connection")
		}
		g.e.accepted.Add(1)
		c := &conn{TCPConn: tcp, e: g.e, id: g.e.reg.conns.Add(1), closed: make(chan struct{})}
		g.e.mu.Lock()
		c.muted = g.e.silence
		g.e.conns[c] = struct{}{}
		g.e.mu.Unlock()
		if !c.muted {
			return c, nil
		}
	}
}

// conn is a connection with a number.
type conn struct {
	*net.TCPConn
	e      *Endpoint
	id     int64
	muted  bool // accepted and never answered
	closed chan struct{}
}

func (c *conn) Close() error {
	c.e.mu.Lock()
	if _, open := c.e.conns[c]; open {
		delete(c.e.conns, c)
		close(c.closed)
	}
	c.e.mu.Unlock()
	return c.TCPConn.Close()
}

// reset closes c so that the peer sees a reset and not an orderly end.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}

type connKey struct{}

func rawConn(c net.Conn) *conn {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return c.(*conn) // from gate
}
