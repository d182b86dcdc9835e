package main

import (
	"maps"
	"strings"
	"testing"
)

const output = `goos: linux
pkg: example.com/x
cpu: Some CPU
BenchmarkA/size=10         	 1000	       236.5 ns/op	     120 B/op	       2 allocs/op
BenchmarkA/size=10-2       	 1000	       200 ns/op
BenchmarkA/size=10         	 1000	       240 ns/op	     120 B/op	       2 allocs/op
BenchmarkA/at-3-2          	   10	         1.5 ratio
BenchmarkBroken            	   10	         x ns/op
--- FAIL: BenchmarkFailed
PASS
`

func TestParse(t *testing.T) {
	rs := newResults()
	if err := rs.parseBenchmarks(strings.NewReader(output), "x", []int{1, 2}); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[key]float64{
		{"x", "BenchmarkA/size=10", 1, "ns/op"}:     238.25, // the median of two
		{"x", "BenchmarkA/size=10", 2, "ns/op"}:     200,
		{"x", "BenchmarkA/size=10", 1, "allocs/op"}: 2,
		{"x", "BenchmarkA/at-3", 2, "ratio"}:        1.5,
	} {
		if got := rs.get(k); !got.ok || got.v != want {
			t.Errorf("%+v: %+v, want %v", k, got, want)
		}
	}
	if rs.get(key{"x", "BenchmarkBroken", 1, "ns/op"}).ok || len(rs.values) != 5 {
		t.Errorf("read %v", rs.values)
	}
}

func TestFiguresOfLogs(t *testing.T) {
	rs := newResults()
	for _, j := range jobs() {
		if j.logged != nil {
			rs.figuresOf(j, `
    lookup_bench_test.go:260: containers/image: 4 requests, ours 2
    memory_test.go:75: live: 117000 bytes each, 109 by estimate
    memory_test.go:75: live, two of them: 147408 bytes each, 109 by estimate, 1.05 of it charged
    fleet_test.go:55: after one change of the policies: median 612ms, last 1.48s of 200 Deployments
`)
		}
	}
	want := map[key]float64{
		{"test/peers", "TestRequestsOfPeers/containers/image", 0, "theirs"}: 4,
		{"test/peers", "TestRequestsOfPeers/containers/image", 0, "ours"}:   2,
		{"chain", "TestHeldReleaseIsSmall/live, two of them", 0, "bytes"}:   147408,
		{pkgHosted, "TestP11Fleet", 0, "median"}:                            612e6,
		{pkgHosted, "TestP11Fleet", 0, "last"}:                              1.48e9,
	}
	got := map[key]float64{}
	for k := range rs.values {
		got[k] = rs.get(k).v
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Whatever a line is, it is read or passed over; what is read is what stands there.
func FuzzParseLine(f *testing.F) {
	for l := range strings.Lines(output) {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name, values, ok := parseLine(text)
		if ok != (name != "") || ok && (len(values) == 0 || !strings.Contains(text, name)) {
			t.Errorf("%q: %q, %v, %t", text, name, values, ok)
		}
		for unit := range values {
			if !strings.Contains(text, unit) {
				t.Errorf("%q: a unit %q", text, unit)
			}
		}
		if base, n := splitProcs(name, []int{1, 2}); n != 1 && base == name || !strings.HasPrefix(name, base) {
			t.Errorf("%q: %q on %d", name, base, n)
		}
	})
}
