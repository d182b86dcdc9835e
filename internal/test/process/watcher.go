package process

import (
	"bufio"
	"errors"
	"net"
	"os"
	"testing"
	"time"
)

// Watcher sees processes come, by the connections that they make to it, and go. It is
// for processes that somebody else starts.
type Watcher struct {
	net.Listener
	t testing.TB
}

// Watch listens until the test ends.
func Watch(t testing.TB) Watcher {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return Watcher{l, t}
}

// Come waits for a process to connect and to write a line.
func (w Watcher) Come() net.Conn {
	w.t.Helper()
	c, err := w.Accept()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// Gone waits until the process at the other end has ended.
func (w Watcher) Gone(c net.Conn) {
	w.t.Helper()
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Error("a process is still there")
	}
}
