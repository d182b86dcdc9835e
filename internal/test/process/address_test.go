package process_test

import (
	"net"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/process"
)

func TestFreeAddresses(t *testing.T) {
	addrs, err := process.FreeAddresses(20)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		l, err := net.Listen("tcp", addr) // fails for one that is there twice, too
		if err != nil {
			t.Error(err)
			continue
		}
		defer l.Close()
	}
}
