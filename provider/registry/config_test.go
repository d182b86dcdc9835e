package registry

import (
	"errors"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// A Provider that New did not make says so.
func TestZeroProvider(t *testing.T) {
	req := provider.Request{Image: imageref.MustParse("quay.io/a/b:1")}
	for _, p := range []*Provider{nil, {}} {
		_, lookup := p.Lookup(t.Context(), req)
		_, opened := p.Open(t.Context(), req, "")
		_, image := p.Image(t.Context(), req)
		for _, err := range []error{lookup, opened, image} {
			if !errors.Is(err, errZero) {
				t.Errorf("got %v", err)
			}
		}
		p.CloseIdleConnections()
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The defaults are those that the documentation of Config states.
func TestDefaults(t *testing.T) {
	c, err := Config{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if want := (Timeouts{Connect: 3 * time.Second, FirstByte: 5 * time.Second, Silence: 10 * time.Second}); c.Timeouts != want {
		t.Errorf("got %v, want %v", c.Timeouts, want)
	}
	want := Limits{
		Manifest: 4 << 20, Config: 8 << 20, ImageReferences: 8 << 20, ReleaseFile: 16 << 20,
		LayerCompressed: 1 << 30, LayerUnpacked: 8 << 30, LayerEntries: 1_000_000, Files: 256 << 20, Extract: 4 << 30,
	}
	if c.Limits != want {
		t.Errorf("got %+v, want %+v", c.Limits, want)
	}
	if c.Proxy == nil || c.UserAgent == "" || c.Decoders < 1 {
		t.Errorf("got %+v", c)
	}
}
