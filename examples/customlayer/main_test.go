package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func TestLayer(t *testing.T) {
	source, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	source.Push("ocp/release", "x", testpayload.Must(testpayload.Release{Version: "4.17.3"}.Image()))
	cfg := registry.Config{RootCAs: source.CA().Pool()}
	pullspec := source.Host() + "/ocp/release:x"

	var out bytes.Buffer
	if err := run(t.Context(), &out, cfg, "4.17.0", pullspec); err != nil {
		t.Fatal(err)
	}
	if want := "4.17.3 through at-least > cache > mirrors > registry\n"; out.String() != want {
		t.Errorf("it prints %q, want %q", &out, want)
	}
	err = run(t.Context(), &out, cfg, "4.18.0", pullspec)
	if err == nil || !strings.Contains(err.Error(), "at least 4.18.0 is wanted") {
		t.Errorf("error %v for a release that is too old", err)
	}
}
