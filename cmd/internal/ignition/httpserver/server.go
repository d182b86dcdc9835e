package httpserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
)

// Limits of one exchange. The first two are HyperShift's.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	headerBytes  = 64 << 10
)

// Server serves payloads over HTTPS. It listens from New on, and answers from Start on.
type Server struct {
	cfg         Config
	listener    net.Listener
	certificate *certificate
	handler     *handler
}

// New reads the certificate and listens.
func New(cfg Config) (*Server, error) {
	if cfg.Payloads == nil {
		return nil, errors.New("ignition endpoint: no payloads")
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	cfg.Drain = cmp.Or(cfg.Drain, 15*time.Second)
	cfg.CertPoll = cmp.Or(cfg.CertPoll, 10*time.Second)
	cert, err := newCertificate(cfg, certwatcher.New)
	if err != nil {
		return nil, fmt.Errorf("ignition endpoint: %w", err)
	}
	l := cfg.Listener
	if l == nil {
		if l, err = net.Listen("tcp", cmp.Or(cfg.Address, "0.0.0.0:9090")); err != nil {
			return nil, fmt.Errorf("ignition endpoint: %w", err)
		}
	}
	return &Server{cfg: cfg, listener: l, certificate: cert, handler: newHandler(cfg)}, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Start serves until ctx ends, and for Config.Linger after that. Then it takes no new
// connections and lets requests and hooks under way finish within Config.Drain; it
// returns nil if they did. Call it once. When it returns, nothing of the server is left.
func (s *Server) Start(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { s.certificate.Start(running) })

	srv := s.server()
	failed := make(chan error, 1)
	wg.Go(func() { failed <- srv.ServeTLS(s.listener, "", "") })

	select {
	case err := <-failed:
		_ = srv.Close()
		s.handler.hooks.drain(running, 0)
		return fmt.Errorf("ignition endpoint: %w", err)
	case <-ctx.Done():
	}
	s.handler.stopping.Store(true)
	select {
	case <-time.After(s.cfg.Linger): // clients are still sent here
	case err := <-failed:
		failed <- err // the listener is gone; requests under way are drained
	}
	deadline := time.Now().Add(s.cfg.Drain)
	draining, cancel := context.WithDeadline(running, deadline)
	defer cancel()
	err := srv.Shutdown(draining)
	if err != nil {
		err = fmt.Errorf("ignition endpoint: requests were cut off: %w", errors.Join(err, srv.Close()))
	}
	if !s.handler.hooks.drain(running, time.Until(deadline)) {
		err = errors.Join(err, errors.New("ignition endpoint: reports of what was served were cut off"))
	}
	return err
}

func (s *Server) server() *http.Server {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	config := pki.ServerConfig(s.certificate.GetCertificate)
	// A payload is wanted as a whole: small records at its beginning, which are for who shows
	// a page before it is complete, are two thirds of all writes.
	config.DynamicRecordSizingDisabled = true
	return &http.Server{
		Handler:        s.handler,
		Protocols:      &http1,
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		MaxHeaderBytes: headerBytes,
		TLSConfig:      config,
		// Scanners and probes cause handshakes that fail.
		ErrorLog: debugLog(s.cfg.Log),
	}
}
