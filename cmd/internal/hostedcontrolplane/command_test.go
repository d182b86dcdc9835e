package hostedcontrolplane_test

import (
	"io"
	"strings"
	"testing"

	hcpkg "github.com/mirrorchain/mirrorchain/cmd/internal/hostedcontrolplane"
)

// A program of HyperShift's image that this one does not have fails, with flags and
// without: an init container that did nothing must not have succeeded.
func TestUnknownCommand(t *testing.T) {
	for _, args := range []string{"availability-prober", "availability-prober --target https://x", "token-minter --token-file=/x", "konnectivity-socks5-proxy", "hosted-cluster-config-operator run"} {
		cmd := hcpkg.Command("v0")
		cmd.SetArgs(strings.Fields(args))
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), `unknown command "`+strings.Fields(args)[0]+`"`) {
			t.Errorf("%s: %v", args, err)
		}
	}
}
