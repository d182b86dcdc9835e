package soak_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// sample is what the process holds while nobody asks for anything.
type sample struct {
	goroutines, fds int
	heap            uint64 // live, after collection
	owners          owners
	at              time.Duration // since the soak began
	disk            int64
}

// descriptors counts the open file descriptors; 0 where the system does not tell.
func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// firstDescriptors counts those that are open at the start, with what Go itself opens
// for the first connection and keeps.
func firstDescriptors(tb testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		tb.Fatal(err)
	}
	return descriptors()
}

// measure waits until connections and goroutines are gone that are no longer needed,
// down to those of the first time, and says what is left.
func (s *soak) measure() {
	var now sample
	s.await("goroutines and descriptors to be those of the beginning", func() bool {
		for _, st := range s.stacks {
			st.registry.CloseIdleConnections()
		}
		now.goroutines, now.fds = runtime.NumGoroutine(), descriptors()
		if len(s.samples) == 0 {
			return true
		}
		return now.goroutines <= s.samples[0].goroutines && now.fds <= s.samples[0].fds
	})
	runtime.GC()
	runtime.GC() // finalizers and pools take two
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	now.heap, now.owners, now.at = m.HeapAlloc, ownersNow(), time.Since(s.journal.start)
	now.disk = s.diskUsed()
	// Each of two processes may be ahead of what it knows of the other by a sixteenth.
	if bound := int64(diskBytes + 2*diskBytes/16); now.disk > bound {
		s.fail("the disk cache takes %d bytes, %d are allowed", now.disk, bound)
	}
	s.samples = append(s.samples, now)
	s.keepProfile(len(s.samples) - 2)
	s.journal.note("round %d: %+v", len(s.samples)-2, now)
}

// diskUsed returns what the disk cache takes, in blocks of 4 KiB.
func (s *soak) diskUsed() (n int64) {
	err := filepath.WalkDir(s.diskDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "key" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += (info.Size() + 4095) / 4096 * 4096
		}
		return err
	})
	if err != nil {
		s.fail("looking at the disk cache: %v", err)
	}
	return n
}

// settled is when memory is what it will be: caches are full, and net/http lets go of
// HTTP/2 connections that broke while they were used only when they would have been
// idle for long enough, which is a minute.
const settled = 75 * time.Second

// judgeMemory compares, when all is over, what the project holds after the rounds of the
// last quarter with what it held after those of the first in which it had settled. What
// connections hold depends on how many broke in the last minute, and the whole heap
// depends on that: of these it compares the least in the last quarter, which a leak
// raises too. In a soak that is too short for that it only reports.
func (s *soak) judgeMemory() {
	rounds := s.samples[min(2, len(s.samples)):] // the first two are before any round
	if len(rounds) == 0 {
		return
	}
	end := rounds[len(rounds)-1]
	s.report("%d rounds; disk %d KiB; %d goroutines, %d descriptors; live heap in the end %.1f MiB: %s", len(rounds),
		end.disk>>10, end.goroutines, end.fds, mib(end.heap), end.owners)
	between := func(from, to time.Duration) (of []sample) {
		for _, x := range rounds {
			if x.at >= from && x.at <= to {
				of = append(of, x)
			}
		}
		return of
	}
	first, last := between(settled, max(end.at/4, settled+end.at/8)), between(max(end.at*3/4, settled+end.at/4), end.at)
	if len(first) == 0 || len(last) == 0 {
		return
	}
	for _, fraction := range []struct {
		name  string
		of    func(sample) uint64
		least bool // of the last quarter
		room  uint64
	}{
		{"live heap", func(x sample) uint64 { return x.heap }, true, 4 << 20},
		{"what is held of connections", func(x sample) uint64 { return x.owners.connections }, true, 2 << 20},
		{"what the project holds", func(x sample) uint64 { return x.owners.product }, false, 1 << 20},
	} {
		a0, a1 := extent(first, fraction.of)
		b0, b1 := extent(last, fraction.of)
		s.report("%s: %.1f to %.1f MiB in the first quarter, %.1f to %.1f in the last", fraction.name, mib(a0), mib(a1), mib(b0), mib(b1))
		now := b1
		if fraction.least {
			now = b0
		}
		if now > a1+a1/4+fraction.room {
			s.fail("%s grew from %d to %d bytes", fraction.name, a1, now)
		}
	}
}

// extent returns the least and the most of some samples.
func extent(all []sample, of func(sample) uint64) (least, most uint64) {
	least = of(all[0])
	for _, x := range all {
		least, most = min(least, of(x)), max(most, of(x))
	}
	return least, most
}

func mib(n uint64) float64 { return float64(n) / (1 << 20) }

// await waits for something that comes soon, on any machine.
func (s *soak) await(what string, is func() bool) {
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-limit.C:
			var b strings.Builder
			_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
			s.fail("waited a minute for %s in vain: %d goroutines, %d descriptors, first %+v\n%s",
				what, runtime.NumGoroutine(), descriptors(), s.samples[:min(1, len(s.samples))], b.String())
			return
		}
	}
}

// progress prints a line every ten seconds, for who watches.
func (s *soak) progress(stop <-chan struct{}) {
	for last := int64(0); wait(10*time.Second, stop); {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		n := s.lookups.Load()
		s.report("%4.0f s: %d lookups/s; %s; %d goroutines, %d descriptors, heap %.1f MiB, %d faults active",
			time.Since(s.journal.start).Seconds(), (n-last)/10, s.classes(), runtime.NumGoroutine(), descriptors(), mib(m.HeapAlloc), s.active.Load())
		last = n
	}
}

// classes returns the errors so far.
func (s *soak) classes() string {
	var all []string
	for c := range s.failures {
		if n := s.failures[c].Load(); n > 0 {
			all = append(all, fmt.Sprintf("%s %d", provider.Class(c), n))
		}
	}
	return "errors: " + strings.Join(all, ", ")
}

// totals says in words what happened.
func (s *soak) totals() string {
	var all []string
	for k := range s.events {
		if n := s.events[k].Load(); n > 0 {
			all = append(all, fmt.Sprintf("%s %d", chain.EventKind(k), n))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for what, n := range s.counts {
		all = append(all, fmt.Sprintf("%s %d", what, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (s *soak) report(format string, args ...any) { s.journal.tb.Logf(format, args...) }
