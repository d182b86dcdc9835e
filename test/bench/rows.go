package main

import (
	"fmt"
	"slices"
	"time"
)

// line is one line of the table of figures.
type line struct {
	id, what, target string
	measure          func(results) figures // nil: its tests count it
	shown            []string              // "package.Test/subtest"
	why              string                // if it is not met
}

// figures are what a line says of a run.
type figures struct {
	ours, peer quantity
	quoted     string // what stands for peer where that is not measured in this run
	ratio      quantity
	more       quantity // than peer, where that says more than a ratio
	met        verdict
}

// of makes a reader of the values of one benchmark.
func (rs results) of(pkg, name string, procs int) func(unit string) quantity {
	return func(unit string) quantity { return rs.get(key{pkg, name, procs, unit}) }
}

// quotes are peers that do not build from the Go module proxy, or need a cluster:
// measured once, not in this run.
const quotedOn = "2026-11-22"

func quoted(text string) string { return text + " (quoted, " + quotedOn + ")" }

// answer is what each answer of a registry takes in the benchmarks.
const answer = float64(20 * time.Millisecond)

// lines returns those of P1 to P14, P16 and P17 of the targets.
func lines() []line {
	var all []line
	all = append(all, candidates()...)
	all = append(all, warm()...)
	all = append(all, adapter()...)
	all = append(all, cold()...)
	all = append(all, sick()...)
	all = append(all, atOnce()...)
	all = append(all, others()...)
	return slices.Concat(all, checks(), fleets())
}

// cpus are what P1, P2 and P7 are run with.
var cpus = [...]int{1, 2}

func candidates() []line {
	var all []line
	for _, peer := range []string{"containers/image", "go.podman.io/image"} {
		for _, sources := range []int{10, 1_000, 10_000} {
			for _, n := range cpus {
				target, least := "", 0.0
				if sources == 1_000 && peer == "containers/image" {
					target, least = "≥ 50 × faster", 50
				}
				all = append(all, line{
					id: "P1", what: fmt.Sprintf("candidates, %d sources, against %s, -cpu %d", sources, peer, n), target: target,
					measure: func(rs results) figures {
						get := rs.of(pkgPeers, fmt.Sprintf("BenchmarkCandidates/%s/sources=%d", peer, sources), n)
						f := figures{ours: get("ns/ours"), peer: get("ns/theirs"), ratio: get("times")}
						f.ratio.unit = "× faster"
						f.met = f.ratio.least(least)
						return f
					},
					shown: []string{"test/peers.BenchmarkCandidates"},
				})
			}
		}
	}
	for _, growth := range []struct {
		kind string
		most float64
		why  string
	}{{"repeated", 2, ""}, {"random", 3, "with 100,000 sources the rules are larger than the caches: see profiles.md"}} {
		for _, n := range cpus {
			all = append(all, line{
				id: "P1", what: fmt.Sprintf("candidates, a %s reference, 100,000 sources against 10, -cpu %d", growth.kind, n), target: fmt.Sprintf("≤ %.0f × slower", growth.most),
				measure: func(rs results) figures {
					many := rs.of(pkgPolicy, "BenchmarkCandidates/sources=100000/"+growth.kind, n)("ns/op")
					few := rs.of(pkgPolicy, "BenchmarkCandidates/sources=10/"+growth.kind, n)("ns/op")
					f := figures{ours: many, peer: few, ratio: many.dividedBy(few)}
					f.met = f.ratio.most(growth.most)
					return f
				},
				shown: []string{"policy.BenchmarkCandidates"}, why: growth.why,
			})
		}
	}
	return append(all, line{
		id: "P1", what: "candidates, 1,000 sources, allocations", target: "≤ 2",
		measure: func(rs results) figures {
			f := figures{ours: rs.of(pkgPolicy, "BenchmarkCandidates/sources=1000/random", 1)("allocs/op"), quoted: quoted("49 allocs")}
			f.met = f.ours.most(2)
			return f
		},
		shown: []string{"policy.TestAllocations", "policy.BenchmarkCandidates"},
	})
}

func warm() []line {
	var all []line
	for _, kind := range []string{"digest", "tag"} {
		for _, n := range cpus {
			all = append(all, line{
				id: "P2", what: fmt.Sprintf("warm lookup by %s, whole chain, against Candidates alone, -cpu %d", kind, n), target: "≤ 3 ×",
				measure: func(rs results) figures {
					f := figures{
						ours: rs.of(pkgChain, "BenchmarkWarm/chain/"+kind, n)("ns/op"),
						peer: rs.of(pkgChain, "BenchmarkWarm/candidates/"+kind, n)("ns/op"),
					}
					f.ratio = f.ours.dividedBy(f.peer)
					f.met = f.ratio.most(3)
					return f
				},
				shown: []string{"chain.BenchmarkWarm"},
			})
		}
	}
	return append(all,
		line{
			id: "P2", what: "warm lookup, against HyperShift's cache and rewrite", target: "",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgChain, "BenchmarkWarm/chain/digest", 2)("ns/op"), quoted: quoted("169 µs")}
				f.ratio = quantity{169_000, "ns/op", true}.dividedBy(f.ours)
				f.ratio.unit = "× faster"
				f.met = f.ratio.least(0)
				return f
			},
			shown: []string{"chain.BenchmarkWarm"},
		},
		line{
			id: "P2", what: "warm lookup, allocations, 146 components", target: "≤ 4, whatever the size of the release; no request",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgChain, "BenchmarkWarm/chain/digest", 1)("allocs/op"), quoted: quoted("HyperShift: 22 ms and requests each time")}
				f.met = f.ours.most(4)
				return f
			},
			shown: []string{"chain.TestWarmLookupAllocations", "chain.BenchmarkWarm"},
		})
}

func adapter() []line {
	measure := func(unit string, most float64) func(results) figures {
		return func(rs results) figures {
			f := figures{ours: rs.of(pkgAdapter, "BenchmarkAdapter/lookup", 0)(unit), peer: rs.of(pkgAdapter, "BenchmarkAdapter/deepcopy", 0)(unit)}
			f.ratio = f.ours.dividedBy(f.peer)
			f.met = f.ours.most(most)
			return f
		}
	}
	return []line{
		{
			id: "P16", what: "warm lookup through an adapter of HyperShift's interfaces, boot images included, beside the copy that HyperShift's cache makes", target: "≤ 0.1 ms",
			measure: measure("ns/op", 1e5), shown: []string{"examples/hypershift.BenchmarkAdapter"},
		},
		{
			id: "P16", what: "memory of that lookup", target: "≤ 80 KB",
			measure: measure("B/op", 80<<10), shown: []string{"examples/hypershift.TestWarmLookup", "examples/hypershift.BenchmarkAdapter"},
		},
	}
}

func cold() []line {
	var all []line
	for _, auth := range []struct {
		name           string
		requests, wall float64
		target         string
	}{
		{"none", 2, 3.2, "2 requests, ≤ 3.2 answers"},
		{"basic", 2, 3.2, "2 requests, ≤ 3.2 answers"},
		{"bearer", 4, 5.2, "4 requests, ≤ 3.2 answers and the 2 of the token"},
	} {
		all = append(all, line{
			id: "P3", what: "cold lookup by digest, 20 ms per answer, TLS, auth: " + auth.name, target: auth.target,
			measure: func(rs results) figures {
				get := rs.of(pkgRegistry, "BenchmarkLookup/"+auth.name, 0)
				f := figures{ours: get("answers/op"), quoted: quoted("HyperShift: 7 answers, 145 ms")}
				f.ratio = quantity{145e6 / answer, "answers/op", true}.dividedBy(f.ours)
				f.ratio.unit = "× faster"
				f.met = f.ours.most(auth.wall).and(get("requests/op").most(auth.requests))
				return f
			},
			shown: []string{"provider/registry.BenchmarkLookup", "provider/registry.TestAuthentication"},
		})
	}
	for _, peer := range []string{"containers/image", "go.podman.io/image", "regclient"} {
		all = append(all, line{
			id: "P3", what: "cold lookup through a mirror, 20 ms per answer, against " + peer, target: "",
			measure: func(rs results) figures {
				get := rs.of(pkgPeers, "BenchmarkLookup/"+peer, 0)
				f := figures{ours: get("answers/ours"), peer: get("answers/theirs"), ratio: get("times")}
				f.ratio.unit = "× faster"
				f.met = f.ratio.least(0)
				return f
			},
			shown: []string{"test/peers.BenchmarkLookup"},
		}, line{
			id: "P3", what: "requests of that lookup, against " + peer, target: "2",
			measure: func(rs results) figures {
				get := rs.of(pkgPeers, "TestRequestsOfPeers/"+peer, 0)
				f := figures{ours: get("ours"), peer: get("theirs")}
				f.ours.unit, f.peer.unit = "requests", "requests"
				f.ratio = f.ours.dividedBy(f.peer)
				f.met = f.ours.most(2)
				return f
			},
			shown: []string{"test/peers.TestRequestsOfPeers"},
		})
	}
	return append(all,
		line{
			id: "P3", what: "cold lookup, requests by digest, by tag, from an index; one challenge and one token however many start at once; handshakes",
			target: "2, 2, 3; 2 and 1 more with bearer; one handshake per host",
			shown:  []string{"provider/registry.TestRequests", "provider/registry.TestAuthentication", "provider/registry.TestManyAtOnce", "chain.TestColdRequests"},
		},
		line{
			id: "P4", what: "cold lookup, bytes of bodies", target: "manifest and release layer, nothing else",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgRegistry, "BenchmarkLookup/none", 0)("bodybytes/op"), quoted: quoted("oc: 486 KB, 4 requests")}
				f.ours.unit = "bytes"
				f.met = f.ours.most(512 << 10) // TestRequests has it to the byte
				return f
			},
			shown: []string{"provider/registry.TestRequests", "provider/registry.TestReleaseLayers", "provider/registry.BenchmarkLookup"},
		})
}
