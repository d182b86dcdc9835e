package soak_test

import (
	"slices"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// What the oracle takes for a reason is one: each thing that may go wrong, with each
// kind of request, fails a lookup as it says and in no other way.
func TestCauses(t *testing.T) {
	img := testpayload.Must(testpayload.Release{Components: 5, Manifests: 3, BaseLayers: []int64{1000}}.Image())
	other := testpayload.Must(testpayload.Release{Version: "6.6.6", Components: 3, Manifests: -1, BaseLayers: []int64{1000}}.Image())
	var all []trouble
	for _, n := range []int64{0, 1, 20, 60, 100, 399} {
		for _, x := range troubles(n, other) {
			if n == 0 || slices.ContainsFunc([]causes{broken, altered}, func(c causes) bool { return sameCauses(c, x.may) }) {
				all = append(all, x)
			}
		}
	}
	for _, st := range statuses {
		for _, code := range st.codes {
			all = append(all, trouble{refusal(st.class), testregistry.Status(code)})
		}
	}
	for _, kind := range []testregistry.Kind{testregistry.Manifest, testregistry.Blob, testregistry.Storage, testregistry.Token} {
		t.Run(string(kind), func(t *testing.T) {
			reg, err := testregistry.Start(testregistry.Config{
				Auth:          testregistry.Auth{Scheme: testregistry.Bearer, Users: []testregistry.User{{Name: "u", Password: "p"}}},
				RedirectBlobs: kind == testregistry.Storage,
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(reg.Close)
			reg.Push("ocp/release", "tag", img)
			cred, err := provider.NewCredentials(map[string]provider.Credential{reg.Host(): provider.NewCredential("u", "p")})
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range all {
				may, listed := x.may[kind]
				if !listed {
					continue
				}
				p, err := registry.New(registry.Config{
					RootCAs:  reg.CA().Pool(),
					Timeouts: registry.Timeouts{Connect: time.Second, FirstByte: 300 * time.Millisecond, Silence: 300 * time.Millisecond},
					Limits:   registry.Limits{Manifest: 256 << 10},
				})
				if err != nil {
					t.Fatal(err)
				}
				remove := reg.Fail(testregistry.Match{Kind: kind}, x.action)
				_, err = p.Lookup(t.Context(), provider.Request{Image: reg.ByTag("ocp/release", "tag"), Credentials: cred})
				switch class := provider.ClassOf(err); {
				case err == nil && kind != testregistry.Token:
					t.Errorf("%s: nothing failed", x.action)
				case err != nil && !slow(err) && !slices.Contains(may, class):
					t.Errorf("%s: %s: %v; want one of %v", x.action, class, err, may)
				}
				remove()
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// sameCauses compares by the table that they are of.
func sameCauses(a, b causes) bool {
	return len(a) == len(b) && slices.Equal(a[testregistry.Manifest], b[testregistry.Manifest]) && slices.Equal(a[testregistry.Token], b[testregistry.Token])
}
