package main

import (
	"bufio"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// key is what one measurement is of.
type key struct {
	pkg   string // folder in the project
	name  string // of the benchmark, without the number of processors; or of a test
	procs int    // GOMAXPROCS; 0 where nothing special was asked for
	unit  string
}

// results are all measurements of a run, and what could not be measured.
type results struct {
	values map[key][]float64
	failed map[string]string // by package and test: why
	busy   bool              // the machine had other work already
}

func newResults() results {
	return results{values: map[key][]float64{}, failed: map[string]string{}}
}

// parseBenchmarks adds the lines of "go test -bench" in r that are results of pkg. Lines
// that are something else are passed over, as the format asks for
// (https://golang.org/design/14313-benchmark-format). procs are those that were asked
// for: a number at the end of a name that is none of them belongs to the name. Without
// any there is one run, with all processors, and the key has 0.
func (rs results) parseBenchmarks(r io.Reader, pkg string, procs []int) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, values, ok := parseLine(lines.Text())
		if !ok {
			continue
		}
		name, cpus := splitProcs(name, procs)
		for unit, v := range values {
			k := key{pkg, name, cpus, unit}
			rs.values[k] = append(rs.values[k], v)
		}
	}
	return lines.Err()
}

// parseLine reads one result: a name, the number of iterations, and pairs of a value
// and its unit.
func parseLine(line string) (name string, values map[string]float64, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
		return "", nil, false
	}
	if n, err := strconv.Atoi(fields[1]); err != nil || n <= 0 {
		return "", nil, false
	}
	values = make(map[string]float64, len(fields)/2-1)
	for i := 2; i < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return "", nil, false
		}
		values[fields[i+1]] = v
	}
	return fields[0], values, true
}

// splitProcs takes the number of processors off a name. The testing package writes it
// unless it is 1.
func splitProcs(name string, procs []int) (string, int) {
	asked := procs
	if len(procs) == 0 {
		asked = []int{runtime.GOMAXPROCS(0)}
	}
	cpus := 1
	if i := strings.LastIndexByte(name, '-'); i > 0 {
		if n, err := strconv.Atoi(name[i+1:]); err == nil && n != 1 && slices.Contains(asked, n) {
			name, cpus = name[:i], n
		}
	}
	if len(procs) == 0 {
		return name, 0
	}
	return name, cpus
}

// get returns the median of what was measured, so that one disturbance does not count.
func (rs results) get(k key) quantity {
	all := slices.Clone(rs.values[k])
	if len(all) == 0 {
		return quantity{}
	}
	slices.Sort(all)
	m := all[len(all)/2]
	if len(all)%2 == 0 {
		m = (m + all[len(all)/2-1]) / 2
	}
	return quantity{m, k.unit, true}
}
