package endpoint

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/servingcert"
)

// Limits of one exchange. The first two are HyperShift's.
const (
	readTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
	headerBytes  = 64 << 10
)

// Server is the endpoint. It listens from New on, and answers from Start on.
type Server struct {
	cfg      Config
	listener net.Listener
	cert     *servingcert.Certificate
	handler  *handler
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
	cert, err := servingcert.New(servingcert.Config{CertFile: cfg.CertFile, KeyFile: cfg.KeyFile, Poll: cfg.CertPoll, Log: cfg.Log})
	if err != nil {
		return nil, fmt.Errorf("ignition endpoint: %w", err)
	}
	l := cfg.Listener
	if l == nil {
		if l, err = net.Listen("tcp", cmp.Or(cfg.Address, "0.0.0.0:9090")); err != nil {
			return nil, fmt.Errorf("ignition endpoint: %w", err)
		}
	}
	return &Server{cfg: cfg, listener: l, cert: cert, handler: newHandler(cfg)}, nil
}

// Addr is where the server listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Start serves until ctx ends and Config.Linger after. Then it takes no new connections, lets requests and
// hooks under way finish within Config.Drain, and returns nil if they did. It is
// called once. When it returns, nothing of the server is left.
func (s *Server) Start(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { _ = s.cert.Start(running) })

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
	case <-time.After(s.cfg.Linger): // who was sent here before nobody is sent here any more
	case err := <-failed:
		failed <- err // the listener is gone; what is under way is drained
	}
	deadline := time.Now().Add(s.cfg.Drain)
	patience, cancel := context.WithDeadline(running, deadline)
	defer cancel()
	err := srv.Shutdown(patience)
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
	return &http.Server{
		Handler:        s.handler,
		Protocols:      &http1,
		ReadTimeout:    readTimeout,
		WriteTimeout:   writeTimeout,
		MaxHeaderBytes: headerBytes,
		TLSConfig:      &tls.Config{GetCertificate: s.cert.Get, MinVersion: tls.VersionTLS12},
		// Handshakes that fail are what scanners and probes do.
		ErrorLog: debugLog(s.cfg.Log),
	}
}
