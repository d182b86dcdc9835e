//go:build !linux

package testregistry

import (
	"errors"
	"io"
	"net"
)

// holdPort finds a free port. Nothing keeps it while the listener is closed, so
// another program might take it meanwhile; that is rare enough for tests.
func holdPort(host string) (io.Closer, int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return nopCloser{}, port, l.Close()
}

type nopCloser struct{}

func (nopCloser) Close() error { return nil }

func deadAddresses(n, _ int) ([]io.Closer, error) {
	if n > 0 {
		return nil, errors.New("addresses at which nobody answers are made on Linux only")
	}
	return nil, nil
}
