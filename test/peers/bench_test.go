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

	cireference "github.com/containers/image/v5/docker/reference"
	sr536 "github.com/containers/image/v5/pkg/sysregistriesv2"
	citypes "github.com/containers/image/v5/types"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// A finder has the candidates of a parsed reference found by a peer: FindRegistry and
// PullSourcesFromReference.
type finder struct {
	name string
	// open reads the configuration in that folder and returns what finds image's
	// candidates, which says how many there are.
	open func(folder, image string) (func() (int, error), error)
}

func finders() []finder {
	return []finder{{"containers/image", openContainersImage}, {"go.podman.io/image", openPodman}}
}

func openContainersImage(folder, image string) (func() (int, error), error) {
	named, err := cireference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, err
	}
	sys := &citypes.SystemContext{
		SystemRegistriesConfPath: filepath.Join(folder, "registries.conf"), SystemRegistriesConfDirPath: filepath.Join(folder, "none"),
	}
	find := func() (int, error) {
		reg, err := sr536.FindRegistry(sys, named.Name())
		if err != nil {
			return 0, err
		}
		s, err := reg.PullSourcesFromReference(named)
		return len(s), err
	}
	_, err = find() // reads the file
	return find, err
}

func openPodman(folder, image string) (func() (int, error), error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, err
	}
	sys := system(filepath.Join(folder, "registries.conf"), filepath.Join(folder, "none"))
	find := func() (int, error) {
		reg, err := sysregistriesv2.FindRegistry(sys, named.Name())
		if err != nil {
			return 0, err
		}
		s, err := reg.PullSourcesFromReference(named)
		return len(s), err
	}
	_, err = find()
	return find, err
}

// BenchmarkCandidates asks ours and a peer about one reference in turn, so that what
// else the machine does hits both. Medians are reported; "times" is how much faster
// ours is.
func BenchmarkCandidates(b *testing.B) {
	for _, peer := range finders() {
		b.Run(peer.name, func(b *testing.B) {
			for _, n := range []int{10, 1_000, 10_000} {
				b.Run(fmt.Sprintf("sources=%d", n), func(b *testing.B) { race(b, peer, n) })
			}
		})
	}
}

func race(b *testing.B, peer finder, n int) {
	idms := &configv1.ImageDigestMirrorSet{}
	var p policy.Policy
	for i := range n {
		source := fmt.Sprintf("registry-%d.example.com/team-%d/product-%d", i%97, i%1009, i)
		mirrors := []string{fmt.Sprintf("mirror-a.local:8443/%d/x", i), fmt.Sprintf("mirror-b.local:8443/%d/x", i)}
		idms.Spec.ImageDigestMirrors = append(idms.Spec.ImageDigestMirrors, configv1.ImageDigestMirrors{Source: source, Mirrors: imageMirrors(mirrors)})
		p.Rules = append(p.Rules, policy.Rule{Source: source, Mirrors: []policy.Mirror{{Location: mirrors[0]}, {Location: mirrors[1]}}})
	}
	dir := b.TempDir()
	var conf sr536.V2RegistriesConf
	if err := registries.EditRegistriesConfig(&conf, nil, nil, nil, []*configv1.ImageDigestMirrorSet{idms}, nil); err != nil {
		b.Fatal(err)
	}
	write(b, filepath.Join(dir, "registries.conf"), conf.Registries)
	rules, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		b.Fatal(err)
	}
	image := string(idms.Spec.ImageDigestMirrors[n/2].Source) + "/ocp-release@sha256:" + strings.Repeat("ab", 32)
	find, err := peer.open(dir, image)
	if err != nil {
		b.Fatal(err)
	}
	ref := imageref.MustParse(image)
	const each = 50 // of ours for one of theirs, so that the clock does not weigh
	var theirs, ours []time.Duration
	for b.Loop() {
		start := time.Now()
		if n, err := find(); err != nil || n != 3 {
			b.Fatal(n, err)
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
}

// median leaves out what a busy machine adds to some.
func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
