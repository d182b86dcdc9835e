package process

import (
	"net"
	"testing"
)

// FreeAddress is an address on loopback that nobody listens on at the moment, for a
// process that is told by a flag where to listen.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
