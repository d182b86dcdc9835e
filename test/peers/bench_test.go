package peers

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	configv1 "github.com/openshift/api/config/v1"
	"github.com/openshift/runtime-utils/pkg/registries"
	"go.podman.io/image/v5/docker/reference"
	"go.podman.io/image/v5/pkg/sysregistriesv2"

	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// BenchmarkCandidates asks both about one reference in turn, so that what else
// the machine does hits both: FindRegistry and PullSourcesFromReference of a
// parsed reference, and Candidates of one. Medians are reported; "times" is how
// much faster ours is.
func BenchmarkCandidates(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		b.Run(fmt.Sprintf("sources=%d", n), func(b *testing.B) {
			idms := &configv1.ImageDigestMirrorSet{}
			var p provider.Policy
			for i := range n {
				source := fmt.Sprintf("registry-%d.example.com/team-%d/product-%d", i%97, i%1009, i)
				mirrors := []string{fmt.Sprintf("mirror-a.local:8443/%d/x", i), fmt.Sprintf("mirror-b.local:8443/%d/x", i)}
				idms.Spec.ImageDigestMirrors = append(idms.Spec.ImageDigestMirrors, configv1.ImageDigestMirrors{Source: source, Mirrors: imageMirrors(mirrors)})
				p.Rules = append(p.Rules, provider.Rule{Source: source, Mirrors: []provider.Mirror{{Location: mirrors[0]}, {Location: mirrors[1]}}})
			}
			dir := b.TempDir()
			sys := system(filepath.Join(dir, "registries.conf"), filepath.Join(dir, "registries.conf.d"))
			var conf sr536.V2RegistriesConf
			if err := registries.EditRegistriesConfig(&conf, nil, nil, nil, []*configv1.ImageDigestMirrorSet{idms}, nil); err != nil {
				b.Fatal(err)
			}
			write(b, sys.SystemRegistriesConfPath, conf.Registries)
			rules, err := provider.NewRules(provider.RulesConfig{}, p)
			if err != nil {
				b.Fatal(err)
			}
			image := string(idms.Spec.ImageDigestMirrors[n/2].Source) + "/ocp-release@sha256:" + strings.Repeat("ab", 32)
			named, err := reference.ParseNormalizedNamed(image)
			if err != nil {
				b.Fatal(err)
			}
			ref := imageref.MustParse(image)

			if _, err := sysregistriesv2.FindRegistry(sys, named.Name()); err != nil { // reads the file
				b.Fatal(err)
			}
			const each = 50 // of ours for one of theirs, so that the clock does not weigh
			var theirs, ours []time.Duration
			for b.Loop() {
				start := time.Now()
				reg, err := sysregistriesv2.FindRegistry(sys, named.Name())
				if err != nil {
					b.Fatal(err)
				}
				if s, err := reg.PullSourcesFromReference(named); err != nil || len(s) != 3 {
					b.Fatal(s, err)
				}
				theirs = append(theirs, time.Since(start))
				start = time.Now()
				for range each {
					if c, err := rules.Candidates(ref); err != nil || len(c) != 3 {
						b.Fatal(c, err)
					}
				}
				ours = append(ours, time.Since(start)/each)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(median(theirs)), "ns/theirs")
			b.ReportMetric(float64(median(ours)), "ns/ours")
			b.ReportMetric(float64(median(theirs))/float64(median(ours)), "times")
		})
	}
}

// median leaves out what a busy machine adds to some.
func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
