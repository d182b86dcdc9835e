package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/named"
)

const (
	root     = "../.."
	document = root + "/docs/benchmarks.md"
)

// Every row of the targets has a line, and there are no others.
func TestEveryRow(t *testing.T) {
	var got, want []string
	for _, l := range lines() {
		got = append(got, l.id)
	}
	for _, h := range holds() {
		got = append(got, h.id)
	}
	for i := range 13 {
		want = append(want, "P"+strconv.Itoa(i+1))
	}
	for i := range 12 {
		want = append(want, "R"+strconv.Itoa(i+1))
	}
	want = append(want, "P14", "P16", "P17", "R13", "R15")
	slices.Sort(got)
	slices.Sort(want)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

// Every test and benchmark that is named exists, and every row has one.
func TestNamed(t *testing.T) {
	source := named.NewSource(root)
	check := func(row string, tests []string) {
		if len(tests) == 0 {
			t.Errorf("%s: nothing shows it", row)
		}
		for _, name := range tests {
			if err := source.Check(name); err != nil {
				t.Errorf("%s: %v", row, err)
			}
		}
	}
	for _, l := range lines() {
		check(l.id+" "+l.what, l.shown)
	}
	for _, h := range holds() {
		check(h.id, h.shown)
	}
}

// What a line reads a job measures, and what a job measures a line reads.
func TestJobsMatchLines(t *testing.T) {
	rs := newResults()
	for _, j := range jobs() {
		rs.failed[j.pkg+"."+j.run] = "failed as a trial"
	}
	for _, l := range lines() {
		if l.measure == nil {
			continue
		}
		if met := l.measure(rs).met; met != notMeasured {
			t.Errorf("%s %s: met is %q where nothing is measured", l.id, l.what, met)
		}
		if rs.why(l.shown) == "" {
			t.Errorf("%s %s: no job runs any of %v", l.id, l.what, l.shown)
		}
	}
	for _, j := range jobs() {
		name := j.pkg + "." + j.run
		if !slices.ContainsFunc(lines(), func(l line) bool { return l.measure != nil && slices.Contains(l.shown, name) }) {
			t.Errorf("%s is run for nothing", name)
		}
	}
}

// The committed document is one that this program wrote, as it is now: figures apart.
func TestCommitted(t *testing.T) {
	have, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	m := machine{{"Date", ""}, {"Run", ""}, {"Commit", ""}, {"CPU", ""}, {"Load before", ""}, {"OS", ""}, {"Go", ""}, {laterRows, ""}}
	for _, p := range peers {
		m = append(m, [2]string{"Peer " + p, ""})
	}
	m = append(m, [2]string{"Quoted peers, " + quotedOn, ""})
	if err := write(&b, m, newResults(), nil); err != nil {
		t.Fatal(err)
	}
	got, want := shape(string(have)), shape(b.String())
	for i := range max(len(got), len(want)) {
		var g, w string
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("docs/benchmarks.md:%d is %q, and make bench would write %q: run it", i+1, g, w)
		}
	}
}

// A target that is missed says so and why; a job that failed says what it failed of.
func TestVerdicts(t *testing.T) {
	l := line{id: "P0", target: "≤ 2", shown: []string{"x.BenchmarkX"}, why: "because", measure: func(rs results) figures {
		q := rs.of("x", "BenchmarkX", 0)("ns/op")
		return figures{ours: q, met: q.most(2)}
	}}
	for want, values := range map[string][]float64{"yes": {1, 2, 9}, "**no**: because": {3}, "not measured: exit | 1": nil} {
		rs := newResults()
		rs.values[key{"x", "BenchmarkX", 0, "ns/op"}] = values
		rs.failed["x.BenchmarkX"] = "exit | 1"
		if _, _, _, met := l.cells(rs); met != strings.ReplaceAll(want, "|", "/") {
			t.Errorf("%v: met is %q, want %q", values, met, want)
		}
	}
	if v := yes.and(notMeasured, no, yes); v != no {
		t.Errorf("the worst is %q", v)
	}
	if v := yes.and(notMeasured, yes); v != notMeasured {
		t.Errorf("the worst is %q", v)
	}
}

func TestQuantity(t *testing.T) {
	for want, q := range map[string]quantity{
		"236 ns":       {236, "ns/op", true},
		"14.2 µs":      {14_234, "ns/theirs", true},
		"1.50 s":       {1.5e9, "ns/op", true},
		"-3 ms":        {-3e6, "ns", true},
		"2 allocs":     {2, "allocs/op", true},
		"2.85 answers": {2.849, "answers/ours", true},
		"—":            {},
	} {
		if got := fmt.Sprint(q); got != want {
			t.Errorf("%+v: %s, want %s", q.v, got, want)
		}
	}
}
