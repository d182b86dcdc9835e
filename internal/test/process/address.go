package process

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// FreeAddress returns an address on loopback that nobody listens on, for a process that
// a flag tells where to listen.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	addrs, err := FreeAddresses(1)
	if err != nil {
		tb.Fatal(err)
	}
	return addrs[0]
}

// The ports that FreeAddresses takes. A system gives higher ones to connections and to
// who asks for any port (by default from 32768 on Linux, from 49152 elsewhere), so
// nobody takes one of these by chance before it is used.
const lowest, highest = 10000, 32000

// FreeAddresses returns n different addresses on loopback that nobody listens on.
func FreeAddresses(n int) ([]string, error) {
	var addrs []string
	for tries := 0; len(addrs) < n; tries++ {
		if tries == 1000 {
			return nil, errors.New("there is no free port on loopback")
		}
		port := lowest + rand.IntN(highest-lowest)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue // somebody has it
		}
		defer l.Close() // all at once, so that no port is there twice
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
