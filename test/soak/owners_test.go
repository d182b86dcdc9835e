package soak_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
)

// owners are the live bytes by whose they are, as the heap profile knows, which is a
// sample: what the project allocated, what its connections did, and the soak with its
// registries.
type owners struct{ product, connections, soak uint64 }

// profileRate is one sample per so many bytes: often enough for a few MiB.
const profileRate = 4 << 10

// ownersNow returns who holds how much. Call it after a collection.
func ownersNow() (o owners) {
	n, _ := runtime.MemProfile(nil, false)
	records := make([]runtime.MemProfileRecord, n+500)
	n, ok := runtime.MemProfile(records, false)
	if !ok {
		return o // grown by more than that meanwhile, with nothing going on
	}
	for i := range records[:n] {
		r := &records[i]
		bytes, objects := float64(r.InUseBytes()), float64(r.InUseObjects())
		if objects <= 0 {
			continue
		}
		// As pprof does: the larger an object, the likelier it was sampled.
		bytes /= chance(bytes/objects, float64(runtime.MemProfileRate))
		*o.of(r.Stack()) += uint64(bytes)
	}
	return o
}

func chance(size, rate float64) float64 { return 1 - math.Exp(-size/rate) }

// of returns whose share an allocation belongs to: that of the innermost function which
// is the project's, or the client's or the server's side of a connection.
func (o *owners) of(stack []uintptr) *uint64 {
	const module = "github.com/mirrorchain/mirrorchain/"
	frames := runtime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		switch name := f.Function; {
		case strings.HasPrefix(name, module+"test/"), strings.HasPrefix(name, module+"provider/providertest/"),
			strings.HasPrefix(name, "net/http.(*http2serverConn)"), strings.HasPrefix(name, "net/http.(*conn)"):
			return &o.soak
		case strings.HasPrefix(name, module):
			return &o.product
		case strings.HasPrefix(name, "net/http.(*Transport)"), strings.HasPrefix(name, "net/http.(*persistConn)"),
			strings.HasPrefix(name, "net/http.(*http2"):
			return &o.connections
		}
		if !more {
			return &o.soak
		}
	}
}

func (o owners) String() string {
	return fmt.Sprintf("%.1f MiB of the project, %.1f of its connections, %.1f of the soak", mib(o.product), mib(o.connections), mib(o.soak))
}

// keepProfile writes what the live heap is made of into the folder named by SOAK_HEAP.
func (s *soak) keepProfile(iteration int) {
	dir := os.Getenv("SOAK_HEAP")
	if dir == "" {
		return
	}
	f, err := os.Create(filepath.Join(dir, fmt.Sprintf("heap-%03d.pprof", iteration)))
	if err == nil {
		err = pprof.Lookup("heap").WriteTo(f, 0)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		s.fail("writing a heap profile: %v", err)
	}
}
