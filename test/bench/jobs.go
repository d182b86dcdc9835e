package main

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// job is one run of "go test".
type job struct {
	pkg   string // folder in the project
	run   string // the benchmark or test
	count int    // how often; the median counts
	each  string // -benchtime
	procs []int  // -cpu; empty is what the machine has

	// logged, if not nil, finds figures in what a test logs: each group's name is
	// where it belongs, with "_" for "/", see figuresOf.
	logged *regexp.Regexp
	// args are flags of the test itself.
	args []string
	// limit is how long it may take before it is given up; 0 is 4 minutes.
	limit time.Duration
	// servers says that it needs the servers of "make servers".
	servers bool
}

// usualLimit is how long a job may take that has no limit of its own.
const usualLimit = 4 * time.Minute

const (
	pkgPolicy   = "policy"
	pkgChain    = "chain"
	pkgRegistry = "provider/registry"
	pkgCheck    = "chain/check"
	pkgPeers    = "test/peers"
	pkgHosted   = "cmd/internal/hostedcluster"
	pkgAdapter  = "examples/hypershift"
	pkgIgnition = "cmd/internal/ignition/httpserver"
)

func jobs() []job {
	both := []int{1, 2}
	return []job{
		{pkg: pkgPolicy, run: "BenchmarkCandidates", count: 5, each: "200ms", procs: both},
		{pkg: pkgPeers, run: "BenchmarkCandidates", count: 1, each: "500ms", procs: both},
		{pkg: pkgChain, run: "BenchmarkWarm", count: 5, each: "200ms", procs: both},
		{pkg: pkgAdapter, run: "BenchmarkAdapter", count: 5, each: "200ms"},
		{pkg: pkgRegistry, run: "BenchmarkLookup", count: 3, each: "10x"},
		{pkg: pkgPeers, run: "BenchmarkLookup", count: 1, each: "15x"},
		{pkg: pkgPeers, run: "TestRequestsOfPeers", count: 1, logged: regexp.MustCompile(`(?m)(?P<peer>[a-z.]+(?:/image)?): (?P<theirs>\d+) requests, ours (?P<ours>\d+)$`)},
		{pkg: pkgChain, run: "BenchmarkSilentMirror", count: 3, each: "10x"},
		{pkg: pkgRegistry, run: "BenchmarkTwentyAtOnce", count: 3, each: "2x"},
		{pkg: pkgChain, run: "BenchmarkTwentyReleases", count: 1, each: "5x"},
		{pkg: pkgChain, run: "BenchmarkThousandCallers", count: 3, each: "200ms", procs: both},
		{pkg: pkgChain, run: "TestHeldReleaseIsSmall", count: 1, logged: regexp.MustCompile(`(?m)(?P<peer>live, two of them): (?P<bytes>\d+) bytes each`)},
		{pkg: pkgCheck, run: "BenchmarkComponents", count: 1, each: "15x"},
		{pkg: pkgCheck, run: "BenchmarkSignatures", count: 1, each: "15x"},
		{pkg: pkgPeers, run: "BenchmarkCheck", count: 1, each: "1x"},
		{pkg: pkgHosted, run: "TestP11Fleet", count: 1, servers: true, logged: regexp.MustCompile(`median (?P<median>[0-9.a-zµ]+), last (?P<last>[0-9.a-zµ]+) of 200 Deployments`)},
		{pkg: pkgHosted, run: "BenchmarkFleet", count: 1, each: "1x", servers: true, limit: 20 * time.Minute},
		{pkg: pkgHosted, run: "BenchmarkHostileTenant", count: 1, each: "1x", servers: true},
		{pkg: pkgIgnition, run: "BenchmarkStampede", count: 1, each: "5x"},
	}
}

// quick returns j with as little work as gives a figure at all.
func (j job) quick() job {
	j.count = 1
	if j.each != "" {
		j.each = "1x"
		if len(j.procs) > 0 {
			j.each = "5ms"
		}
	}
	return j
}

// arguments returns those of the go command, which runs in the module that has j's
// package.
func (j job) arguments() (dir string, args, env []string) {
	dir, pkg := ".", "./"+j.pkg
	args = []string{"test"}
	if j.pkg == pkgPeers {
		dir, pkg = pkgPeers, "."
		args = append(args, "-tags", "containers_image_openpgp,exclude_graphdriver_btrfs,exclude_graphdriver_devicemapper")
		env = []string{"CGO_ENABLED=0"}
	}
	args = append(args, "-count", strconv.Itoa(j.count), "-timeout", cmp.Or(j.limit, usualLimit).String())
	if j.logged != nil {
		args = append(args, "-v", "-run", "^"+j.run+"$")
	} else {
		args = append(args, "-run", "^$", "-benchmem", "-bench", "^"+j.run+"$", "-benchtime", j.each)
	}
	if len(j.procs) > 0 {
		args = append(args, "-cpu", strings.Trim(strings.ReplaceAll(fmt.Sprint(j.procs), " ", ","), "[]"))
	}
	return dir, append(append(args, pkg), j.args...), env
}

// figuresOf adds what a test logged: each match of j.logged is of the test's name and
// the group "peer", and each other group is a value whose unit is the group's name.
func (rs results) figuresOf(j job, output string) {
	names := j.logged.SubexpNames()
	for _, m := range j.logged.FindAllStringSubmatch(output, -1) {
		k := key{pkg: j.pkg, name: j.run}
		for i, group := range names {
			if group == "peer" {
				k.name += "/" + m[i]
			}
		}
		for i, group := range names {
			if i == 0 || group == "peer" {
				continue
			}
			v, err := strconv.ParseFloat(m[i], 64)
			if err != nil {
				d, wrong := time.ParseDuration(m[i])
				if wrong != nil {
					continue
				}
				v = float64(d)
			}
			k.unit = group
			rs.values[k] = append(rs.values[k], v)
		}
	}
}
