package chain_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

func credentialsFor(t testing.TB, secret string, keys ...string) provider.Credentials {
	t.Helper()
	entries := map[string]provider.Credential{}
	for _, k := range keys {
		entries[k] = provider.NewCredential("robot", secret)
	}
	c, err := provider.NewCredentials(entries)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Whose credential each endpoint gets: of the mirrors that a policy names, those on hosts that
// the pull secret has nothing for; and of all entries the one that applies there.
func TestMirrorCredentials(t *testing.T) {
	const tenants, path, port = "t.example/ocp/release", "a.example/ocp/release", "p.example:5000/ocp/release"
	rule := mirrored(source, tenants, path, port, mirrorB)
	rule.Mirrors[0].ByTenant = true
	everywhere := []string{"t.example", "a.example/ocp", "p.example", "b.example", "quay.io"}
	for _, tt := range []struct {
		name       string
		pullSecret provider.Credentials
		with       provider.MirrorCredentials
		want       map[string]string // the owner and the secret, by endpoint; else the pull secret
	}{
		{"none", credentialsFor(t, "own", "a.example"), provider.MirrorCredentials{}, nil},
		{"the operator's", provider.Credentials{}, provider.MirrorCredentials{Shared: credentialsFor(t, "op", everywhere...)},
			map[string]string{path: "operator op", mirrorB: "operator op"}},
		{"the cluster's first", provider.Credentials{}, provider.MirrorCredentials{Own: credentialsFor(t, "hc", "b.example"), Shared: credentialsFor(t, "op", everywhere...)},
			map[string]string{path: "operator op", mirrorB: "mirror hc"}},
		{"any entry of the pull secret", credentialsFor(t, "own", "a.example/other", "b.example"), provider.MirrorCredentials{Shared: credentialsFor(t, "op", everywhere...)}, nil},
		{"any entry of the cluster's", provider.Credentials{}, provider.MirrorCredentials{Own: credentialsFor(t, "hc", "b.example/other"), Shared: credentialsFor(t, "op", everywhere...)},
			map[string]string{path: "operator op"}},
		{"a longer path", provider.Credentials{}, provider.MirrorCredentials{Shared: credentialsFor(t, "op", "a.example/ocp/release/below", "a.example/ocp/rel")}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := newFakes(t, map[string]endpoint{source: answers})
			req := provider.Request{Image: image, Credentials: tt.pullSecret, MirrorCredentials: tt.with}
			if _, err := mirrorsOver(t, base, rule).Lookup(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			wantList(t, "asked", base.names(), tenants, path, port, mirrorB, source)
			for _, got := range base.asked {
				if !got.MirrorCredentials.IsZero() {
					t.Errorf("%s gets all credentials for mirrors", got.Image)
				}
				want, ok := tt.want[got.Image.Name()]
				if !ok {
					if got.CredentialOwner != provider.CredentialTenant || got.Credentials.ID() != tt.pullSecret.ID() || got.Tenant != "" {
						t.Errorf("%s: a credential of %s", got.Image, got.CredentialOwner)
					}
					continue
				}
				all := slices.Collect(keysOf(got.Credentials))
				cred, _ := got.Credentials.For(got.Image)
				_, secret, _ := cred.Basic()
				if is := fmt.Sprint(got.CredentialOwner, " ", secret); is != want || len(all) != 1 || all[0] != got.Image.Name() || got.Tenant == "" {
					t.Errorf("%s: %s for %q and tenant %q, want %s for this repository alone", got.Image, is, all, got.Tenant, want)
				}
			}
		})
	}
}

func keysOf(c provider.Credentials) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range c.All() {
			if !yield(key) {
				return
			}
		}
	}
}

// What one tenant read with the operator's credential is not another one's: neither cache nor
// store answers it, and it asks the mirror itself.
func TestMirrorCredentialsShareNothing(t *testing.T) {
	base := &opener{open: byDigest}
	var seen events
	c := newChain(t, base, newRules(t, mirrored(source, mirrorA)),
		chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&seen}}),
		chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}), chain.Store(chain.StoreConfig{}))
	shared := provider.MirrorCredentials{Shared: credentialsFor(t, "op", "a.example")}
	lookup := func(tenant, more string) {
		t.Helper()
		with := shared
		if more != "" {
			with.Own = credentialsFor(t, more, "elsewhere.example")
		}
		if _, err := c.Lookup(t.Context(), provider.Request{Image: image, Credentials: credentialsFor(t, tenant, "quay.io/other"), MirrorCredentials: with}); err != nil {
			t.Fatal(err)
		}
	}
	lookup("one", "")
	base.want(t, "the first tenant", 1, 1)
	lookup("one", "")
	base.want(t, "again", 1, 1)
	lookup("two", "")
	base.want(t, "another tenant", 2, 1)
	lookup("two", "x")
	base.want(t, "with other credentials", 3, 1)
	for _, e := range seen.all {
		if e.Kind == chain.AttemptDone && e.Credential != provider.CredentialOperator {
			t.Errorf("an attempt with the credential of %s", e.Credential)
		}
	}
	if _, err := c.Lookup(t.Context(), provider.Request{Image: image, Credentials: credentialsFor(t, "one", "quay.io/other")}); err != nil {
		t.Fatal(err)
	}
	base.want(t, "without", 4, 1)
}

// Images are asked for in the same way.
func TestMirrorCredentialsOfImages(t *testing.T) {
	var owners []string
	base := provider.ImageFunc(func(_ context.Context, req provider.Request) (provider.Image, error) {
		owners = append(owners, req.CredentialOwner.String())
		return nil, &provider.Error{Class: provider.ClassUnauthorized, Ref: req.Image}
	})
	images, err := chain.Images(base, func() *policy.Rules { return newRules(t, mirrored(source, mirrorA)) }, chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := images.Image(t.Context(), provider.Request{Image: image, MirrorCredentials: provider.MirrorCredentials{Shared: credentialsFor(t, "op", "a.example", "quay.io")}}); err == nil {
		t.Fatal("no error")
	}
	wantList(t, "owners", owners, "operator", "tenant")
}
