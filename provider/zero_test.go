package provider_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Rules that nobody made are those of no policies.
func TestZeroRules(t *testing.T) {
	none, err := provider.NewRules(provider.RulesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*provider.Rules{"nil": nil, "zero": {}} {
		if r.Version() != none.Version() {
			t.Errorf("%s: version %q, want %q", name, r.Version(), none.Version())
		}
		ref := imageref.MustParse("quay.io/a/b")
		want := []provider.Candidate{{Ref: ref.Normalize()}}
		if got, err := r.Candidates(ref); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: candidates %v, %v", name, got, err)
		}
		if got, err := r.Resolve(ref); err != nil || !reflect.DeepEqual(got, provider.Resolution{Normalized: ref.Normalize(), Candidates: want}) {
			t.Errorf("%s: resolution %+v, %v", name, got, err)
		}
		if _, err := r.Candidates(imageref.Ref{}); !errors.Is(err, provider.ErrNoImage) {
			t.Errorf("%s: candidates of no image: %v", name, err)
		}
		if _, err := r.Resolve(imageref.Ref{}); !errors.Is(err, provider.ErrNoImage) {
			t.Errorf("%s: resolution of no image: %v", name, err)
		}
		if got := r.Rewrite(ref); got != ref {
			t.Errorf("%s: rewritten to %s", name, got)
		}
		if got := slices.Collect(r.Merged()); len(got)+len(r.Warnings())+len(r.Insecure())+len(r.Blocked()) != 0 {
			t.Errorf("%s: %v, %v, %v, %v", name, got, r.Warnings(), r.Insecure(), r.Blocked())
		}
		if p := r.Policy(); !reflect.DeepEqual(p, none.Policy()) {
			t.Errorf("%s: policy %+v", name, p)
		}
	}
	// A method that is new and forgets them shows here.
	for _, r := range []*provider.Rules{nil, {}} {
		v := reflect.ValueOf(r)
		for i := range v.NumMethod() {
			args := make([]reflect.Value, v.Method(i).Type().NumIn())
			for j := range args {
				args[j] = reflect.Zero(v.Method(i).Type().In(j))
			}
			v.Method(i).Call(args)
		}
	}
}

// A Release that nobody made says nothing, and panics only where it is documented.
func TestZeroRelease(t *testing.T) {
	var r provider.Release
	v := reflect.ValueOf(&r)
	for i := range v.NumMethod() {
		if m := v.Method(i).Type(); m.NumIn() == 0 {
			v.Method(i).Call(nil)
		}
	}
	for range r.Components() {
		t.Error("it has components")
	}
	for range r.Attempts() {
		t.Error("it has attempts")
	}
	if _, ok := r.Component("cli"); ok || r.Version() != "" || len(r.ComponentVersions()) != 0 || r.BootImages() != nil {
		t.Errorf("%+v", r)
	}
	if s := r.Serve(provider.Served{Stale: true}); s.Version() != "" || !s.Stale() {
		t.Errorf("served: %+v", s)
	}
	version := func(d *provider.ReleaseData) { d.Version = "4.17.3" }
	if r.With(version).Version() != "4.17.3" || r.Derive("key", version).Version() != "4.17.3" {
		t.Error("it cannot be made a release")
	}
	if r.Version() != "" || new(provider.Release).Derive("key", func(d *provider.ReleaseData) { d.Version = "5" }).Version() != "5" {
		t.Error("one derivation is remembered for all zero releases")
	}
}
