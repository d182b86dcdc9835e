package provider_test

import (
	"bytes"
	"sync"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Files are handed out as they are, to every copy of a release, and a copy of the caller's own.
func TestFiles(t *testing.T) {
	data := small()
	data.ImageReferences, data.BootImages = []byte("{ \"kind\": \"ImageStream\" }\n"), bytes.Repeat([]byte("boot images\n"), 1000)
	r := newRelease(t, data)
	derived := r.Derive("key", func(d *provider.ReleaseData) {
		if d.ImageReferences != nil || d.BootImages != nil {
			t.Error("Derive unpacks the files")
		}
		d.Version, d.BootImages = "derived", []byte("ignored")
	})
	with := r.With(func(d *provider.ReleaseData) { d.Version = "with" })
	for name, r := range map[string]*provider.Release{"release": r, "derived": derived, "with": with} {
		clear(r.ImageReferences())
		clear(r.BootImages())
		if !bytes.Equal(r.ImageReferences(), data.ImageReferences) || !bytes.Equal(r.BootImages(), data.BootImages) {
			t.Errorf("%s: %q and %d bytes", name, r.ImageReferences(), len(r.BootImages()))
		}
	}
	changed := r.With(func(d *provider.ReleaseData) { d.ImageReferences[0], d.BootImages = 'x', nil })
	if changed.ImageReferences()[0] != 'x' || changed.BootImages() != nil || r.ImageReferences()[0] != '{' {
		t.Errorf("changed: %q, %q; the first one is %q", changed.ImageReferences(), changed.BootImages(), r.ImageReferences())
	}
	if zero := new(provider.Release); zero.ImageReferences() != nil || zero.BootImages() != nil {
		t.Error("the zero Release has files")
	}
}

// What is remembered is computed once, whoever asks, and is lost with the files.
func TestRemember(t *testing.T) {
	type key string
	r := newRelease(t, small())
	views := []*provider.Release{
		r, r.Derive("v", func(d *provider.ReleaseData) { d.Version = "v" }), r.With(func(d *provider.ReleaseData) { d.Version = "w" }),
		r.WithAnswer(provider.Answer{}),
	}
	var mu sync.Mutex
	calls := 0
	remember := func(r *provider.Release, k key) any {
		return r.Remember(k, func() any {
			mu.Lock()
			defer mu.Unlock()
			calls++
			return "value of " + k
		})
	}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			if got := remember(views[i%len(views)], "k"); got != key("value of k") {
				t.Errorf("remembered %v", got)
			}
		})
	}
	wg.Wait()
	if calls != 1 {
		t.Errorf("computed %d times, want once", calls)
	}
	for _, k := range []key{"a", "b", "c", "d"} {
		remember(r, k)
	}
	remember(r, "k") // four came after it
	remember(r.With(func(d *provider.ReleaseData) { d.BootImages = []byte("others") }), "k")
	remember(new(provider.Release), "k")
	if calls != 1+4+3 {
		t.Errorf("computed %d times, want 8", calls)
	}
}
