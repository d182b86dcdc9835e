package main

import "fmt"

// fleetPhases are what BenchmarkFleet takes the time of, and what docs call it.
var fleetPhases = [...]struct{ name, what string }{
	{"start", "from the start of the operator until all are reconciled"},
	{"edit", "one change of the policies, until all Deployments have it"},
	{"update", "a new release for a tenth"},
	{"restart", "a restart with a change of the policies, until all Deployments have it"},
	{"failover", "a failover with one"},
}

// fleets returns P11 of fleets with Secrets of their own: times for each HostedCluster, beside
// those in a fleet of 100.
func fleets() []line {
	get := func(rs results, n int, what, unit string) quantity {
		q := rs.of(pkgHosted, fmt.Sprintf("BenchmarkFleet/clusters=%d", n), 0)(what + "-" + unit + "/cluster")
		q.unit = unit
		return q
	}
	shown := []string{"cmd/internal/hostedcluster.BenchmarkFleet"}
	var all []line
	for _, n := range []int{400, 1600, 5000} {
		for _, phase := range fleetPhases {
			target, most, why := "linear: ≤ 1.5 × of what it is with 100", 0.0, ""
			if phase.name == "edit" {
				target, most, why = "≤ 4 ms for each", 4e6, "the API server and etcd alone take up to 4.1 ms of two cores: see profiles.md"
			}
			all = append(all, line{
				id: "P11", what: fmt.Sprintf("%d HostedClusters, for each: %s", n, phase.what), target: target, why: why,
				measure: func(rs results) figures {
					f := figures{ours: get(rs, n, phase.name, "ns"), peer: get(rs, 100, phase.name, "ns")}
					f.ratio = f.ours.dividedBy(f.peer)
					if f.met = f.ratio.most(1.5); most > 0 {
						f.met = f.ours.most(most)
					}
					return f
				},
				shown: shown,
			})
		}
		all = append(all, line{
			id: "P11", what: fmt.Sprintf("%d HostedClusters, for each: heap", n), target: "linear: ≤ 1.5 × of what it is with 100",
			measure: func(rs results) figures {
				f := figures{ours: get(rs, n, "heap", "bytes"), peer: get(rs, 100, "heap", "bytes")}
				f.ratio = f.ours.dividedBy(f.peer)
				f.met = f.ratio.most(1.5)
				return f
			},
			shown: shown,
		})
	}
	all = append(all, line{
		id: "P11", what: "100 HostedClusters with Secrets of their own: writes, and requests to the registry", target: "10 to make one, 1 per change of the policies; 1 request per credential",
		shown: []string{"cmd/internal/hostedcluster.TestFleetCounts", "cmd/internal/hostedcluster.TestP11Requests"},
	})
	for _, c := range []struct {
		unit, what string
		most       float64
	}{{"new-ns", "another tenant's new cluster", 2e9}, {"edit-ns", "a change of the policies", 1e9}, {"deletion-ns", "a deletion", 2e9}} {
		all = append(all, line{
			id: "P14", what: "1,000 HostedClusters of one tenant name a registry that sends a byte now and then: " + c.what, target: fmt.Sprintf("≤ %.0f s", c.most/1e9),
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgHosted, "BenchmarkHostileTenant", 0)(c.unit)}
				f.ours.unit = "ns"
				f.met = f.ours.most(c.most)
				return f
			},
			shown: []string{"cmd/internal/hostedcluster.BenchmarkHostileTenant"},
		})
	}
	return append(all,
		line{
			id: "P14", what: "the same: lookups under way at once for a host and a namespace; nobody of another one waits", target: "20 and 100",
			shown: []string{"cmd/internal/hostedcluster.TestLookupsOfOneTenantHoldUpNobody", "cmd/internal/hostedcluster.TestSilentRegistryHoldsUpNobody"},
		},
		line{
			id: "P17", what: "1,000 nodes fetch a payload of 540 KB from one server at once, clients on the same cores: the slowest hundredth", target: "≤ 1 s",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgIgnition, "BenchmarkStampede", 0)("p99-ns")}
				f.ours.unit = "ns"
				f.met = f.ours.most(1e9)
				return f
			},
			shown: []string{"cmd/internal/ignition/httpserver.BenchmarkStampede"},
		},
		line{
			id: "P17", what: "the same: memory of a fetch", target: "flat: no copy of the payload",
			shown: []string{"cmd/internal/ignition/httpserver.TestFetchCostsNoPayload"},
		})
}
