package registry_test

import (
	"runtime"
	"runtime/metrics"
	"sync/atomic"
)

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
