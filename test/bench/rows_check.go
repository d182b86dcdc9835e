package main

import "fmt"

// checks returns P13.
func checks() []line {
	const check = "BenchmarkCheck"
	var all []line
	for _, peer := range []struct{ bench, what, words string }{
		{"crane", "crane digest", "one crane digest for each"}, {"skopeo", "skopeo inspect", "one skopeo inspect for each"},
	} {
		for _, how := range []struct {
			bench, words string
			least        float64
		}{{"loop", "in a loop", 20}, {"16", "sixteen at once", 4}} {
			all = append(all, line{
				id: "P13", what: fmt.Sprintf("are 190 images on a mirror, 20 ms per answer, against %s, %s", peer.words, how.words), target: fmt.Sprintf("≥ %.0f × faster", how.least),
				measure: func(rs results) figures {
					f := figures{
						ours: rs.of(pkgPeers, check+"/mirrorchain", 0)("ns/check"), peer: rs.of(pkgPeers, check+"/"+peer.bench+"-"+how.bench, 0)("ns/check"),
					}
					f.ratio = f.peer.dividedBy(f.ours)
					f.ratio.unit = "× faster"
					f.met = f.ratio.least(how.least)
					return f
				},
				shown: []string{"test/peers." + check}, why: "skopeo is measured where it is installed; it does not build from the Go module proxy",
			})
		}
	}
	return append(all,
		line{
			id: "P13", what: "the same, requests for each image, against crane digest", target: "1",
			measure: func(rs results) figures {
				f := figures{ours: rs.of(pkgPeers, check+"/mirrorchain", 0)("requests"), peer: rs.of(pkgPeers, check+"/crane-loop", 0)("requests")}
				f.ours.unit, f.peer.unit = "requests", "requests"
				f.met = f.ours.most(1)
				return f
			},
			shown: []string{"test/peers." + check},
		},
		line{
			id: "P13", what: "the same, memory of the largest process, against crane digest; with --all-mirrors it is the same", target: "≤ 50 MB",
			measure: func(rs results) figures {
				megabytes := func(bench string) quantity {
					q := rs.of(pkgPeers, check+"/"+bench, 0)("peak-bytes")
					q.v, q.unit = q.v/1e6, "MB"
					return q
				}
				f := figures{ours: megabytes("mirrorchain"), peer: megabytes("crane-loop")}
				f.met = f.ours.most(50).and(megabytes("mirrorchain-all-mirrors").most(50))
				return f
			},
			shown: []string{"test/peers." + check},
		})
}
