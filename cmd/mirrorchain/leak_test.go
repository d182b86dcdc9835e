package main

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// Nothing of a run outlives it: the demo runs many in one process, and so may
// whoever embeds this.
func TestNothingOutlivesRun(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	reg.Push("a/b", "1", testpayload.Must(testpayload.Release{Components: 5, Manifests: -1, BaseLayers: []int64{}}.Image()))
	before := goleak.IgnoreCurrent()

	ref := reg.ByTag("a/b", "1").String()
	for _, args := range [][]string{
		{"release", "info", "--tls-verify=false", ref},
		{"explain", "--probe", "--tls-verify=false", ref},
		{"release", "info", "--tls-verify=false", reg.ByTag("a/missing", "1").String()},
		{"demo"},
	} {
		code, stdout, stderr := run(t.Context(), args...)
		if want := strings.Contains(args[len(args)-1], "missing"); (code != 0) != want {
			t.Errorf("%v: code %d\n%s%s", args, code, stdout, stderr)
		}
	}
	// The registry's own side of the connections goes when it notices.
	reg.Main().CloseConnections()
	goleak.VerifyNone(t, before)
}
