//go:build !race

package registry_test

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
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

// watchHeap looks at every garbage collection until stop is called, which returns
// the most that was alive in any, and how many there were. before is what was
// alive at the start.
func watchHeap() (before uint64, stop func() (most uint64, cycles int64)) {
	live := func() uint64 {
		s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	var peak, seen atomic.Int64
	var ended atomic.Bool
	var look func(struct{})
	look = func(struct{}) { // in one goroutine, the runtime's
		seen.Add(1)
		peak.Store(max(peak.Load(), int64(live())))
		if !ended.Load() {
			runtime.AddCleanup(new([16]byte), look, struct{}{})
		}
	}
	runtime.GC() // what came before is over
	before = live()
	runtime.AddCleanup(new([16]byte), look, struct{}{})
	return before, func() (uint64, int64) {
		ended.Store(true)
		return uint64(peak.Load()), seen.Load()
	}
}
