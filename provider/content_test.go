package provider_test

import (
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// References come back as they went in, whatever their form, from a release and
// from those made of it.
func TestReferencesSurvive(t *testing.T) {
	var in []imageref.Ref
	for _, s := range []string{
		"quay.io/a/b@" + digestA,
		"quay.io/a/b@sha256:0000000000000000000000000000000000000000000000000000000000000000",
		"quay.io/a/b:tag", "quay.io/a/b", "quay.io/a/b:tag@" + digestA,
		"quay.io/a/other@" + digestA, "alpine@" + digestA, "localhost/x@" + digestA,
		"[::1]:5000/x@" + digestA, "example.com:5000/a/b/c/d@" + digestA,
	} {
		in = append(in, imageref.MustParse(s))
	}
	r := newRelease(t, provider.ReleaseData{Version: "1", Components: []provider.Component{{Name: "x", Image: in[0]}}})
	for i, image := range in {
		for j, canonical := range in {
			change := func(d *provider.ReleaseData) {
				d.Components = []provider.Component{{Name: "y", Image: image, Canonical: canonical, PullFrom: in}, {Name: "x", Image: canonical}}
			}
			for what, r := range map[string]*provider.Release{
				"With":   r.With(change),
				"Derive": r.Derive([2]int{i, j}, change),
				"twice":  r.With(change).With(func(*provider.ReleaseData) {}),
			} {
				c, ok := r.Component("y")
				if !ok || c.Image != image || c.Canonical != canonical || len(c.PullFrom) != len(in) {
					t.Fatalf("%s: component %+v; want image %s, canonical %s", what, c, image, canonical)
				}
				for k := range in {
					if c.PullFrom[k] != in[k] || c.PullFrom[k].String() != in[k].String() || c.PullFrom[k].Registry() != in[k].Registry() {
						t.Errorf("%s: PullFrom %s, want %s", what, c.PullFrom[k], in[k])
					}
				}
			}
		}
	}
}

func BenchmarkRelease(b *testing.B) {
	r, err := provider.NewRelease(decoded(b, testpayload.Release{Components: 146}))
	if err != nil {
		b.Fatal(err)
	}
	view := translated(b, r)
	b.Run("Component", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			view.Component("etcd")
		}
	})
	b.Run("Components", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for range view.Components() {
			}
		}
	})
	b.Run("With", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.With(func(*provider.ReleaseData) {})
		}
	})
	b.Run("Serve", func(b *testing.B) {
		b.ReportAllocs()
		s := provider.Answer{Image: r.Image()}
		for b.Loop() {
			r.WithAnswer(s)
		}
	})
}
