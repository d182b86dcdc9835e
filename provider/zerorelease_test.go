package provider_test

import (
	"reflect"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
)

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
	if s := r.WithAnswer(provider.Answer{Stale: true}); s.Version() != "" || !s.Stale() {
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
