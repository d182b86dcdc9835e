package provider_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

func TestParsePlatform(t *testing.T) {
	for in, want := range map[string]provider.Platform{
		"arm64":             {OS: "linux", Architecture: "arm64"},
		"linux/amd64":       {OS: "linux", Architecture: "amd64"},
		"windows/amd64":     {OS: "windows", Architecture: "amd64"},
		"linux/arm64/v8":    {OS: "linux", Architecture: "arm64", Variant: "v8"},
		"linux/arm/v7":      {OS: "linux", Architecture: "arm", Variant: "v7"},
		"linux/ppc64le":     {OS: "linux", Architecture: "ppc64le"},
		"linux/unheard-of":  {OS: "linux", Architecture: "unheard-of"},
		"linux/amd64/v3.14": {OS: "linux", Architecture: "amd64", Variant: "v3.14"},
	} {
		got, err := provider.ParsePlatform(in)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", in, got, err, want)
		}
		if s := got.String(); s != in && s != "linux/"+in {
			t.Errorf("%q prints as %q", in, s)
		}
		if second, err := provider.ParsePlatform(got.String()); err != nil || second != got {
			t.Errorf("%q read again is %+v, %v", got, second, err)
		}
	}
	for _, in := range []string{"", "/", "linux/", "/amd64", "linux//v8", "a/b/c/d", "linux/amd64/", "linux/a b", "linux\n", "linux/ämd"} {
		if p, err := provider.ParsePlatform(in); !errors.Is(err, provider.ErrInvalidPlatform) || !strings.Contains(err.Error(), "linux/amd64") {
			t.Errorf("%q is %+v, %v; want an error with an example", in, p, err)
		}
	}
}

// What is wrong with a request itself is told apart from anything that goes wrong
// with an endpoint.
func TestRequestCheck(t *testing.T) {
	image := imageref.MustParse("quay.io/a/b:1")
	for _, tt := range []struct {
		req  provider.Request
		want error
	}{
		{provider.Request{Image: image}, nil},
		{provider.Request{Image: image, Platform: provider.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}, nil},
		{provider.Request{Image: image, Platform: provider.Platform{Architecture: "s390x"}}, nil},
		{provider.Request{}, policy.ErrNoImage},
		{provider.Request{Image: image, Platform: provider.Platform{Architecture: "linux/amd64"}}, provider.ErrInvalidPlatform},
		{provider.Request{Image: image, Platform: provider.Platform{OS: " "}}, provider.ErrInvalidPlatform},
		{provider.Request{Image: image, Platform: provider.Platform{Variant: "v8\n"}}, provider.ErrInvalidPlatform},
	} {
		err := tt.req.Validate()
		if !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v; want %v", tt.req, err, tt.want)
		}
		if tt.want != nil && (!errors.Is(err, provider.ErrInvalidRequest) || provider.ClassOf(err) != provider.ClassInvalid) {
			t.Errorf("%+v: %v is of class %s", tt.req, err, provider.ClassOf(err))
		}
	}
}

func TestPlatformDefault(t *testing.T) {
	var zero provider.Platform
	if !zero.IsZero() || zero.String() != "" {
		t.Errorf("the zero platform is %q", zero)
	}
	if p := zero.OrDefault(); p.OS != "linux" || p.Architecture != runtime.GOARCH || p.Variant != "" {
		t.Errorf("the default is %q", p)
	}
	if p := (provider.Platform{Architecture: "s390x"}).OrDefault(); p.String() != "linux/s390x" {
		t.Errorf("an architecture alone is %q", p)
	}
	if p := (provider.Platform{OS: "windows", Architecture: "amd64", Variant: "v2"}).OrDefault(); p.String() != "windows/amd64/v2" {
		t.Errorf("a whole platform became %q", p)
	}
}

func TestPlatformChoose(t *testing.T) {
	amd, arm := provider.Platform{OS: "linux", Architecture: "amd64"}, provider.Platform{OS: "linux", Architecture: "arm64"}
	unknown := provider.Platform{OS: "unknown", Architecture: "unknown"} // an attestation
	v2 := provider.Platform{OS: "linux", Architecture: "amd64", Variant: "v2"}
	var unsaid provider.Platform
	for _, tt := range []struct {
		want    provider.Platform
		entries []provider.Platform
		i       int
	}{
		{amd, nil, -1},
		{amd, []provider.Platform{arm, amd, amd}, 1},
		{amd, []provider.Platform{v2, amd}, 1},
		{amd, []provider.Platform{arm, v2}, 1},
		{amd, []provider.Platform{unknown, arm}, -1},
		{amd, []provider.Platform{unknown, unsaid, unsaid}, 1},
		{amd, []provider.Platform{unsaid, arm, amd}, 2},
		{amd, []provider.Platform{unsaid, v2}, 1},
		{arm, []provider.Platform{amd, unsaid}, 1},
	} {
		var entries []provider.PlatformDigest
		for _, p := range tt.entries {
			entries = append(entries, provider.PlatformDigest{Platform: p})
		}
		if i := tt.want.Choose(entries); i != tt.i {
			t.Errorf("%s of %v: %d, want %d", tt.want, tt.entries, i, tt.i)
		}
	}
}
