package testregistry_test

import (
	"net"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// A dead address neither takes a connection nor refuses it.
func TestDeadAddresses(t *testing.T) {
	r, err := testregistry.Start(testregistry.Config{DeadAddresses: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, port, err := net.SplitHostPort(r.Host())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialTimeout("tcp", "127.0.0.2:"+port, 100*time.Millisecond)
	if err == nil {
		_ = c.Close()
		t.Fatal("it answers")
	}
	if e, ok := err.(net.Error); !ok || !e.Timeout() {
		t.Errorf("got %v, want silence", err)
	}
}
