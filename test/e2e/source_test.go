package e2e

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// source is the registry that all images say they are from. It is down: whoever
// connects finds the connection closed. It counts them.
type source struct {
	net.Listener
	connections atomic.Int64
	done        sync.WaitGroup
}

func newSource(t *testing.T) *source {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &source{Listener: l}
	s.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // closed
			}
			s.connections.Add(1)
			_ = c.Close()
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.done.Wait()
	})
	return s
}

// Host returns what references have.
func (s *source) Host() string { return s.Addr().String() }
