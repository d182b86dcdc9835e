package registry_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Of what the test registry counts, the kinds that concern us.
var (
	manifests = testregistry.Match{Kind: testregistry.Manifest}
	blobs     = testregistry.Match{Kind: testregistry.Blob}
	tokens    = testregistry.Match{Kind: testregistry.Token}
)

const repo = "ocp/release"

func start(t testing.TB, cfg testregistry.Config) *testregistry.Registry {
	t.Helper()
	r, err := testregistry.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// open makes a provider that trusts reg, if reg is not nil.
func open(t testing.TB, reg *testregistry.Registry, change ...func(*registry.Config)) *registry.Provider {
	t.Helper()
	var cfg registry.Config
	if reg != nil && reg.CA() != nil {
		cfg.RootCAs = reg.CA().Pool()
	}
	for _, c := range change {
		c(&cfg)
	}
	p, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func request(ref imageref.Ref) provider.Request {
	return provider.Request{Image: ref, Platform: provider.Platform{OS: "linux", Architecture: "amd64"}}
}

// P3 and P4: what a lookup asks for, in requests, bytes and handshakes.
func TestRequests(t *testing.T) {
	amd := testpayload.Must(testpayload.Release{}.Image())
	arm := testpayload.Must(testpayload.Release{Platform: provider.Platform{OS: "linux", Architecture: "arm64"}}.Image())
	docker := testpayload.Must(testpayload.Release{Docker: true}.Image())
	for _, tt := range []struct {
		name     string
		image    testpayload.Image
		manifest testpayload.Image
		byTag    bool
		requests int
	}{
		{"digest", amd, amd, false, 2},
		{"tag", amd, amd, true, 2},
		{"docker", docker, docker, false, 2},
		{"index", testpayload.Index(false, arm, amd), amd, false, 3},
		{"list by tag", testpayload.Index(true, arm, amd), amd, true, 3},
	} {
		for _, old := range []bool{false, true} {
			name := tt.name + " over HTTP/2"
			if old {
				name = tt.name + " over HTTP/1.1"
			}
			t.Run(name, func(t *testing.T) {
				reg := start(t, testregistry.Config{NoHTTP2: old})
				ref := reg.ByDigest(repo, reg.Push(repo, "4.17.3", tt.image))
				if tt.byTag {
					ref = reg.ByTag(repo, "4.17.3")
				}
				r, err := open(t, reg).Lookup(t.Context(), request(ref))
				if err != nil {
					t.Fatal(err)
				}
				if r.Version() != "4.17.3" || r.Digest() != tt.manifest.Digest || r.Image() != ref || r.PulledFrom() != ref {
					t.Errorf("got %s %s of %s from %s", r.Version(), r.Digest(), r.Image(), r.PulledFrom())
				}
				if chosen := !r.Platform().IsZero(); chosen != (tt.requests == 3) {
					t.Errorf("platform %q", r.Platform())
				}
				index, entries := "", 0
				if tt.requests == 3 {
					index, entries = tt.image.Digest, 2
				}
				if got := r.IndexPlatforms(); r.IndexDigest() != index || len(got) != entries || entries > 0 && got[1].Architecture != "amd64" {
					t.Errorf("index %q with %v, want %q with %d", r.IndexDigest(), got, index, entries)
				}
				if n := reg.Count(); n != tt.requests {
					t.Errorf("%d requests, want %d: %+v", n, tt.requests, reg.Requests())
				}
				want := int64(len(tt.manifest.Manifest)) + tt.manifest.Top().Size
				if tt.requests == 3 {
					want += int64(len(tt.image.Manifest))
				}
				if n := reg.Bytes(); n != want {
					t.Errorf("%d bytes, want %d", n, want)
				}
				if n := reg.Main().Stats().Handshakes; n != 1 {
					t.Errorf("%d handshakes", n)
				}
			})
		}
	}
}

func mustParse(t testing.TB, s string) imageref.Ref {
	t.Helper()
	ref, err := imageref.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
