package provider_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

var refs = cmp.Comparer(func(a, b imageref.Ref) bool { return a == b })

// small returns the data of a release with an odd component or two.
func small() provider.ReleaseData {
	return provider.ReleaseData{
		Image:      imageref.MustParse("quay.io/openshift-release-dev/ocp-release:4.17.3"),
		PulledFrom: imageref.MustParse("mirror.example.com/release@" + digestA),
		Stale:      true,
		Attempts:   []provider.Attempt{{Ref: imageref.MustParse("mirror.example.com/release:4.17.3"), Err: errors.New("x"), Took: time.Second}},
		Version:    "4.17.3",
		Digest:     digestA,
		Created:    time.Date(2024, 10, 28, 0, 0, 0, 0, time.UTC),
		Platform:   provider.Platform{OS: "linux", Architecture: "arm64"},
		Components: []provider.Component{
			{Name: "etcd", Canonical: imageref.MustParse("quay.io/a/b@" + digestA), Annotations: map[string]string{"k": "v", "l": "w"}},
			{Name: "cli", Image: imageref.MustParse("example.com:5000/cli:tag")},
			{Name: "both", Canonical: imageref.MustParse("quay.io/a/b:tag@" + digestA), PullFrom: []imageref.Ref{imageref.MustParse("m.example.com/b@" + digestA), imageref.MustParse("alpine")}},
			{Name: "long", Canonical: imageref.MustParse("quay.io/a/b@sha512:" + strings.Repeat("0a", 64))},
		},
		ComponentVersions: map[string]string{"kubernetes": "1.30.5"},
		Metadata:          provider.Metadata{Previous: []string{"4.17.2"}, Next: []string{"4.17.4"}, URL: "https://example.com"},
		BootImages:        []byte("kind: ConfigMap"),
	}
}

func newRelease(t *testing.T, d provider.ReleaseData) *provider.Release {
	t.Helper()
	r, err := provider.NewRelease(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// show is everything a release says, for comparing.
func showRelease(r *provider.Release) string {
	var b strings.Builder
	fmt.Fprintln(&b, r.Version(), r.Digest(), r.Created(), r.Platform(), r.Image(), r.PulledFrom(), r.Stale())
	for c := range r.Components() {
		fmt.Fprintln(&b, c)
	}
	for a := range r.Attempts() {
		fmt.Fprintln(&b, a)
	}
	fmt.Fprintln(&b, r.ComponentVersions(), r.Metadata(), string(r.BootImages()))
	return b.String()
}

func TestNewRelease(t *testing.T) {
	d := small()
	r := newRelease(t, d)
	if r.Version() != d.Version || r.Digest() != d.Digest || !r.Created().Equal(d.Created) || r.Platform() != d.Platform ||
		r.Image() != d.Image || r.PulledFrom() != d.PulledFrom || !r.Stale() {
		t.Errorf("got %s", showRelease(r))
	}
	var names []string
	for c := range r.Components() {
		names = append(names, c.Name)
		one, ok := r.Component(c.Name)
		if diff := cmp.Diff(c, one, refs); !ok || diff != "" {
			t.Errorf("Component(%s) differs: %s", c.Name, diff)
		}
	}
	if want := []string{"both", "cli", "etcd", "long"}; !slices.Equal(names, want) {
		t.Errorf("components %v, want %v", names, want)
	}
	for _, want := range d.Components {
		if want.Image.IsZero() {
			want.Image = want.Canonical
		}
		if want.Canonical.IsZero() {
			want.Canonical = want.Image
		}
		if want.Annotations == nil {
			want.Annotations = map[string]string{}
		}
		if got, _ := r.Component(want.Name); !cmp.Equal(want, got, refs) {
			t.Errorf("component differs (-want +got):\n%s", cmp.Diff(want, got, refs))
		}
	}
	if _, ok := r.Component("etc"); ok {
		t.Error("a component by part of its name")
	}
	if !maps.Equal(r.ComponentVersions(), d.ComponentVersions) || !cmp.Equal(r.Metadata(), d.Metadata) || !bytes.Equal(r.BootImages(), d.BootImages) {
		t.Errorf("got %s", showRelease(r))
	}
	if a := slices.Collect(r.Attempts()); len(a) != 1 || a[0] != d.Attempts[0] {
		t.Errorf("attempts %v", a)
	}
}

func TestNewReleaseDefaults(t *testing.T) {
	image := imageref.MustParse("quay.io/a/b:1")
	r := newRelease(t, provider.ReleaseData{Version: "1", Image: image})
	if r.PulledFrom() != image || r.BootImages() != nil || r.Stale() || len(slices.Collect(r.Components())) != 0 || len(r.ComponentVersions()) != 0 {
		t.Errorf("got %s", showRelease(r))
	}
}

func TestNewReleaseRefuses(t *testing.T) {
	for want, change := range map[string]func(*provider.ReleaseData){
		"no version": func(d *provider.ReleaseData) { d.Version = "" },
		"no name":    func(d *provider.ReleaseData) { d.Components[1].Name = "" },
		`" has no image`: func(d *provider.ReleaseData) {
			d.Components[0].Canonical, d.Components[0].Image = imageref.Ref{}, imageref.Ref{}
		},
		`"etcd" is there twice`: func(d *provider.ReleaseData) {
			d.Components[0].Name, d.Components[1].Name = "etcd", "etcd"
		},
		"ocp-release:4.17.3: it s": func(d *provider.ReleaseData) { d.Version = "" },
	} {
		d := small()
		change(&d)
		if r, err := provider.NewRelease(d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v; want an error that says %q", r, err, want)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("With did not panic where it %s", want)
				}
			}()
			newRelease(t, small()).With(change)
		}()
	}
}

// spoil changes everything it can reach of what a release hands out.
func spoil(r *provider.Release) {
	for c := range r.Components() {
		spoilComponent(c)
	}
	if c, ok := r.Component("etcd"); ok {
		spoilComponent(c)
	}
	clear(r.ComponentVersions())
	r.ComponentVersions()["x"] = "y"
	for _, list := range [][]string{r.Metadata().Previous, r.Metadata().Next} {
		for i := range list {
			list[i] = "spoilt"
		}
	}
	clear(r.BootImages())
	r.With(spoilData)
	r.Derive("spoilt", spoilData)
}

func spoilComponent(c provider.Component) {
	clear(c.Annotations)
	c.Annotations["x"] = "y"
	clear(c.PullFrom)
}

func spoilData(d *provider.ReleaseData) {
	for i := range d.Components {
		spoilComponent(d.Components[i])
		d.Components[i].Image = imageref.MustParse("spoilt.example.com/x")
		d.Components[i].Canonical = imageref.MustParse("spoilt.example.com/x")
	}
	slices.Reverse(d.Components)
	clear(d.ComponentVersions)
	clear(d.BootImages)
	clear(d.Attempts)
	for _, list := range [][]string{d.Metadata.Previous, d.Metadata.Next} {
		for i := range list {
			list[i] = "spoilt"
		}
	}
}

func TestReleaseIsImmutable(t *testing.T) {
	d := small()
	for i := range d.Components { // spoilComponent writes to them
		if d.Components[i].Annotations == nil {
			d.Components[i].Annotations = map[string]string{}
		}
	}
	r := newRelease(t, d)
	other := r.WithAnswer(provider.Answer{Image: r.Image()})
	derived := r.Derive("k", func(d *provider.ReleaseData) { d.Components[0].PullFrom = []imageref.Ref{d.Image} })
	before, beforeOther, beforeDerived := showRelease(r), showRelease(other), showRelease(derived)
	for _, x := range []*provider.Release{r, other, derived} {
		spoil(x)
	}
	spoilData(&d) // what it was made of
	if got := showRelease(r); got != before {
		t.Errorf("the release changed:\n%s", cmp.Diff(before, got))
	}
	if got := showRelease(other); got != beforeOther {
		t.Errorf("a release served from it changed:\n%s", cmp.Diff(beforeOther, got))
	}
	if got := showRelease(derived); got != beforeDerived {
		t.Errorf("a release derived from it changed:\n%s", cmp.Diff(beforeDerived, got))
	}
}

func TestWith(t *testing.T) {
	r := newRelease(t, small())
	before := showRelease(r)
	same := r.With(func(*provider.ReleaseData) {})
	if got := showRelease(same); got != before {
		t.Errorf("no change changed:\n%s", cmp.Diff(before, got))
	}
	changed := r.With(func(d *provider.ReleaseData) {
		d.Stale = false
		d.Version = "5"
		d.BootImages = nil
		d.ComponentVersions["machine-os"] = "9"
		d.Metadata.URL = ""
		d.Components = append(d.Components[1:], provider.Component{Name: "new", Image: d.Image})
		d.Components[0].Annotations["added"] = "x"
		d.Components[1].Image = imageref.MustParse("m.example.com/other@" + digestA)
	})
	if changed.Stale() || changed.Version() != "5" || changed.BootImages() != nil || changed.ComponentVersions()["machine-os"] != "9" || changed.Metadata().URL != "" {
		t.Errorf("got %s", showRelease(changed))
	}
	if c, ok := changed.Component("cli"); !ok || c.Annotations["added"] != "x" {
		t.Errorf("component %v", c)
	}
	if c, ok := changed.Component("etcd"); !ok || c.Image.Name() != "m.example.com/other" || c.Canonical.Name() != "quay.io/a/b" || c.Annotations["l"] != "w" {
		t.Errorf("component %v", c)
	}
	if _, ok := changed.Component("both"); ok {
		t.Error("a component that was taken away is still there")
	}
	if c, ok := changed.Component("new"); !ok || c.Canonical != r.Image() {
		t.Errorf("new component %v", c)
	}
	if got := showRelease(r); got != before {
		t.Errorf("the original changed:\n%s", cmp.Diff(before, got))
	}
}

func TestServe(t *testing.T) {
	r := newRelease(t, small())
	s := provider.Answer{
		Image:      imageref.MustParse("example.com/x:1"),
		PulledFrom: imageref.MustParse("example.com/y:1"),
		Attempts:   make([]provider.Attempt, 1, 5),
	}
	o := r.WithAnswer(s)
	if o.Image() != s.Image || o.PulledFrom() != s.PulledFrom || o.Stale() || len(slices.Collect(o.Attempts())) != 1 {
		t.Errorf("got %s", showRelease(o))
	}
	if o.Version() != r.Version() || r.Image() == o.Image() {
		t.Error("the content is not shared, or the request's part is")
	}
	signed := &provider.Signatures{Verifier: "one"}
	s.Signatures = signed
	o = r.WithAnswer(s)
	for what, same := range map[string]*provider.Release{
		"With":   o.With(func(d *provider.ReleaseData) { d.Version = "4.17.4" }),
		"Derive": o.Derive("key", func(d *provider.ReleaseData) { d.Version = "4.17.5" }),
	} {
		if same.Signatures() != signed {
			t.Errorf("%s loses the signatures", what)
		}
	}
	if got := o.Answer(); got.Image != s.Image || cap(got.Attempts) != 1 {
		t.Errorf("served %+v with room for %d attempts", got, cap(got.Attempts))
	}
}

// A warm lookup pays for these, whatever the size of the release.
func TestReleaseAllocations(t *testing.T) {
	for _, components := range []int{10, 190} {
		r := newRelease(t, decoded(t, testpayload.Release{Components: components}))
		s := provider.Answer{Image: r.Image(), PulledFrom: r.Image()}
		type key struct{ rules string }
		var k any = key{"v1"}
		change := func(d *provider.ReleaseData) { d.Components[0].Image = d.Image }
		r.Derive(k, change)
		for name, f := range map[string]func(){
			"Serve":  func() { r.WithAnswer(s) },
			"Derive": func() { r.Derive(k, change) },
		} {
			if n := testing.AllocsPerRun(100, f); n > 1 {
				t.Errorf("%s of %d components: %v allocations, want 1", name, components, n)
			}
		}
		if n := testing.AllocsPerRun(100, func() { _, _ = r.Version(), r.Image() }); n != 0 {
			t.Errorf("accessors: %v allocations", n)
		}
	}
}

func TestDerive(t *testing.T) {
	r := newRelease(t, small())
	calls := 0
	derive := func(r *provider.Release, version string) *provider.Release {
		return r.Derive(version, func(d *provider.ReleaseData) {
			calls++
			d.Version = version
			d.Image, d.PulledFrom, d.Stale, d.Attempts = imageref.Ref{}, imageref.Ref{}, false, nil // ignored
		})
	}
	// Two keys alternate, as while policy changes: each is worked out once.
	for range 50 {
		for _, v := range []string{"a", "b"} {
			d := derive(r, v)
			if d.Version() != v || d.Image() != r.Image() || d.PulledFrom() != r.PulledFrom() || !d.Stale() || len(slices.Collect(d.Attempts())) != 1 {
				t.Fatalf("derived %s", showRelease(d))
			}
		}
	}
	if calls != 2 {
		t.Errorf("worked out %d times, want 2", calls)
	}
	// What was derived belongs to the content, not to the request.
	other := r.WithAnswer(provider.Answer{Image: imageref.MustParse("example.com/x:1")})
	if d := derive(other, "a"); calls != 2 || d.Image() != other.Image() || d.Stale() {
		t.Errorf("worked out %d times, derived %s", calls, showRelease(d))
	}
	// Keys of different types are different keys.
	type key string
	if d := r.Derive(key("a"), func(d *provider.ReleaseData) { d.Version = "typed" }); d.Version() != "typed" || derive(r, "a").Version() != "a" {
		t.Error("keys of two types are one")
	}
	// Old keys are forgotten, and right when they come back.
	for i := range 20 {
		derive(r, fmt.Sprint(i))
	}
	before := calls
	if d := derive(r, "a"); d.Version() != "a" || calls != before+1 {
		t.Errorf("version %s, worked out %d times more", d.Version(), calls-before)
	}
	// Derived of derived.
	if d := derive(derive(r, "a"), "b"); d.Version() != "b" || derive(r, "a").Version() != "a" {
		t.Errorf("derived of derived: %s", d.Version())
	}
}

func TestDeriveConcurrently(t *testing.T) {
	r := newRelease(t, small())
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				key := fmt.Sprint((i + g) % 6)
				d := r.Derive(key, func(d *provider.ReleaseData) { d.Version = key })
				if d.Version() != key || d.Image() != r.Image() {
					t.Errorf("derived %s for %s", d.Version(), key)
					return
				}
			}
		})
	}
	wg.Wait()
	if r.Version() != "4.17.3" {
		t.Errorf("the original changed to %s", r.Version())
	}
}

func TestSize(t *testing.T) {
	few := newRelease(t, decoded(t, testpayload.Release{Components: 10, BootImages: testpayload.NoBootImages}))
	many := newRelease(t, decoded(t, testpayload.Release{Components: 146}))
	if few.Size() <= 0 || many.Size() < 5*few.Size() {
		t.Errorf("sizes %d of 10 components, %d of 146 and boot images", few.Size(), many.Size())
	}
	// Measured: see TestHeap. An estimate that is off by half is of no use.
	if many.Size() < 60_000 || many.Size() > 140_000 {
		t.Errorf("a release of 96 KB is estimated at %d bytes", many.Size())
	}
}
