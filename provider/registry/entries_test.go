//go:build !race

package registry_test

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// R6: ten million entries end at the default limit, and take no memory while they
// are counted. There is nothing to race for, and the detector makes it ten times
// as slow: make test runs it once more without.
func TestTenMillionEntries(t *testing.T) {
	reg := start(t, testregistry.Config{})
	entries := []testpayload.Entry{{Name: "release-manifests/x", Repeat: 10_000_000}}
	img := testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{{Entries: entries}}}.Image())
	req := request(reg.ByDigest(repo, reg.Push(repo, "", img)))
	p := open(t, reg)
	before, peak := watchHeap()
	_, err := p.Lookup(t.Context(), req)
	most, cycles := peak()
	wantError(t, err, provider.ClassLimit, "more than 1000000 entries")
	if most > before+16<<20 || cycles < 2 {
		t.Errorf("%d MiB of heap were alive in one of %d collections, %d MiB before", most>>20, cycles, before>>20)
	}
}
