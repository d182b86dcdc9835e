package main

import "fmt"

// sick returns P5, with and without figures.
func sick() []line {
	var all []line
	for _, c := range []struct {
		bench, what, target string
		most                float64 // nanoseconds more than without the mirror
	}{
		{"unknown", "the hosts not known", "≤ 0.4 s later", 400e6},
		{"known", "the hosts known", "≤ 0.15 s later", 150e6},
		{"from-the-next-lookup", "from the next lookup on", "nothing: ≤ 2 ms", 2e6},
	} {
		all = append(all, line{
			id: "P5", what: "the first of two mirrors accepts and never answers, " + c.what + ": by digest, beside one without that mirror", target: c.target,
			measure: func(rs results) figures {
				f := figures{
					ours: rs.of(pkgChain, "BenchmarkSilentMirror/"+c.bench, 0)("ns/op"), peer: rs.of(pkgChain, "BenchmarkSilentMirror/alone", 0)("ns/op"),
				}
				f.more = f.ours.minus(f.peer)
				f.met = f.more.most(c.most)
				return f
			},
			shown: []string{"chain.BenchmarkSilentMirror"},
		})
	}
	return append(all,
		line{
			id: "P5", what: "the same, against HyperShift", target: "",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgChain, "BenchmarkSilentMirror/unknown", 0)("ns/op"), quoted: quoted("15.2 s, every lookup; or for ever")}
				f.ratio = quantity{15.2e9, "ns/op", true}.dividedBy(f.ours)
				f.ratio.unit = "× faster"
				f.met = f.ratio.least(0)
				return f
			},
			shown: []string{"chain.BenchmarkSilentMirror"},
		},
		line{
			id: "P5", what: "by tag: within the attempt's limit; the mirror is asked again only when it is probed", target: "counts, in virtual time",
			shown: []string{"chain.TestMirrorsLimitsAnAttempt", "chain.TestUnhealthyMirrorCostsNothing", "chain.TestUnhealthyMirrorIsProbed", "chain.TestHedge"},
		})
}

func atOnce() []line {
	all := []line{
		{
			id: "P6", what: "20 releases at once, against 20 × one lookup's CPU time / cores and one lookup's waiting", target: "≤ 1.3 ×",
			measure: func(rs results) figures {
				get := rs.of(pkgRegistry, "BenchmarkTwentyAtOnce", 0)
				f := figures{ours: get("ms-wall"), ratio: get("ratio")}
				f.ours.unit, f.ours.v = "ns", f.ours.v*1e6
				f.ratio.unit = "×"
				f.met = f.ratio.most(1.3)
				return f
			},
			shown: []string{"provider/registry.BenchmarkTwentyAtOnce"},
		},
		{
			id: "P6", what: "20 releases at once through the whole chain, against HyperShift, which reads one after another", target: "",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgChain, "BenchmarkTwentyReleases/at-once", 0)("ns/op"), quoted: quoted("3.2 s")}
				f.ratio = quantity{3.2e9, "ns/op", true}.dividedBy(f.ours)
				f.ratio.unit = "× faster"
				f.met = f.ratio.least(0)
				return f
			},
			shown: []string{"chain.BenchmarkTwentyReleases"},
		},
		{
			id: "P6", what: "all 20 manifest requests are in flight before one is answered, then all 20 layers", target: "20 and 20 at a barrier",
			shown: []string{"chain.TestDifferentReleasesAtOnce", "provider/registry.TestAllInFlight"},
		},
	}
	for _, n := range cpus {
		all = append(all, line{
			id: "P7", what: fmt.Sprintf("1,000 callers of one release, until all have it, -cpu %d", n), target: "",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgChain, "BenchmarkThousandCallers", n)("ns/op")}
				f.met = f.ours.least(0)
				return f
			},
			shown: []string{"chain.BenchmarkThousandCallers"},
		})
	}
	return append(all,
		line{
			id: "P7", what: "1,000 callers of one release: requests; who leaves fails nobody; the work has an end", target: "the requests of one",
			shown: []string{"chain.TestThousandCallersOverTheWire", "chain/internal/flight.TestFlightLimit", "chain.TestCacheLeavingCallerLearnsWhy", "chain/internal/flight.TestFlightEndsWhenUnused"},
		},
		line{
			id: "P8", what: "1,000 tenants with different credentials, the same digest", target: "the layer once, one request on the manifest each; the proof has a lifetime",
			shown: []string{"chain.TestThousandTenantsOverTheWire", "chain.TestStoreThousandTenants", "chain.TestStoreGrant"},
		},
		line{
			id: "P9", what: "a release held in the cache: two translated views and boot images included", target: "≤ 160 KB",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgChain, "TestHeldReleaseIsSmall/live, two of them", 0)("bytes")}
				f.met = f.ours.most(160_000)
				return f
			},
			shown: []string{"chain.TestHeldReleaseIsSmall"},
		})
}

// inWaves measures a benchmark that asks for many things, sixteen at once: its answers one after
// another are at most 1.3 times what full waves would be, and it makes no more requests than that.
func inWaves(benchmark string, requests float64) func(results) figures {
	return func(rs results) figures {
		get := rs.of(pkgCheck, benchmark, 0)
		f := figures{ours: get("answers/op"), ratio: get("ratio")}
		f.ratio.unit = "×"
		f.met = f.ratio.most(1.3).and(get("requests/op").most(requests))
		return f
	}
}

func others() []line {
	return []line{
		{
			id: "P10", what: "all 146 component images asked for, 20 ms per answer, 16 at once", target: "≤ 1.3 × (146 / 16) answers",
			measure: inWaves("BenchmarkComponents", 146),
			shown:   []string{"chain/check.BenchmarkComponents"},
			why:     "146 images are ten waves of 16, which is 1.10 already; the rest is one handshake and the CPU of both sides on two cores",
		},
		{
			id: "P10", what: "the same in requests, and at most 16 at once", target: "146",
			shown: []string{"chain/check.TestEveryImageOnceWithinTheLimit", "chain/check.TestSameImageIsAskedForOnce"},
		},
		{
			id: "P10", what: "the signatures of 190 components, 20 ms per answer, 16 at once", target: "≤ 1.3 × (380 / 16) answers",
			measure: inWaves("BenchmarkSignatures", 380),
			shown:   []string{"chain/check.BenchmarkSignatures"},
		},
		{
			id: "P10", what: "the same in requests: a manifest and a blob for each component, and at most 16 at once", target: "380",
			shown: []string{"chain/check.TestSignatureRequests", "chain/check.TestSignaturesWithinTheLimit"},
		},
		{
			id: "P11", what: "one change of the policies, 200 HostedClusters on a real API server, median", target: "≤ 1 s",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgHosted, "TestP11Fleet", 0)("median")}
				f.ours.unit = "ns"
				f.met = f.ours.most(1e9)
				return f
			},
			shown: []string{"cmd/internal/hostedcluster.TestP11Fleet"},
		},
		{
			id: "P11", what: "the same, the last of them", target: "≤ 3 s",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgHosted, "TestP11Fleet", 0)("last")}
				f.ours.unit = "ns"
				f.met = f.ours.most(3e9)
				return f
			},
			shown: []string{"cmd/internal/hostedcluster.TestP11Fleet"},
		},
		{
			id: "P11", what: "the same: one update each, no restart of the operator", target: "1",
			shown: []string{"cmd/internal/hostedcluster.TestP11Fleet"},
		},
		{
			id: "P12", what: "start without network, cache on disk", target: "the releases of the last run, re-verified by digest",
			shown: []string{"chain.TestDiskWithoutNetwork", "chain.TestDiskDamage", "chain.TestDiskRequests", "provider/diskcache.TestDamage"},
		},
	}
}
