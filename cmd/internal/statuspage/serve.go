package statuspage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// CheckAddress reads HOST:PORT, and reports whether it can be reached from this machine alone.
func CheckAddress(addr string) (loopback bool, err error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false, fmt.Errorf("%q is no address; write it as in 127.0.0.1:8082", addr)
	}
	return isLoopback(host), nil
}

// Serve serves h on l until ctx ends, and closes l. Requests that are being answered then
// have a few seconds.
func Serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{
		Handler:     h,
		ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // handshakes that fail
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving the status page: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := s.Shutdown(stop)
	if err != nil {
		_ = s.Close() // of connections that are still in use
	}
	if served := <-ended; !errors.Is(served, http.ErrServerClosed) {
		return served
	}
	return nil
}
