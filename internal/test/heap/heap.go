// Package heap tells tests how much memory is in use.
package heap

import "runtime"

// InUse returns how many bytes of the heap are in use once nothing more can be
// collected: one collection may leave finalizers and pools.
func InUse() int64 {
	var m runtime.MemStats
	for last := uint64(0); ; last = m.HeapAlloc {
		runtime.GC()
		runtime.ReadMemStats(&m)
		if last > 0 && m.HeapAlloc+m.HeapAlloc/100 >= last {
			return int64(m.HeapAlloc)
		}
	}
}
