package chain_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

var noRules, _ = policy.NewRules(policy.RulesConfig{})

func rules() *policy.Rules { return noRules }

func passThrough(name string, above ...string) chain.Layer {
	return chain.Layer{Name: name, Above: above, Wrap: func(n provider.ReleaseProvider) (provider.ReleaseProvider, error) { return n, nil }}
}

func base() provider.ReleaseProvider {
	return provider.ReleaseFunc(func(_ context.Context, req provider.Request) (*provider.Release, error) {
		return provider.NewRelease(provider.ReleaseData{Image: req.Image, Version: "4.17.3", Digest: req.Image.Digest()})
	})
}

func TestNewRefuses(t *testing.T) {
	nilLayer := chain.Layer{Name: "nil", Wrap: func(provider.ReleaseProvider) (provider.ReleaseProvider, error) { return nil, nil }}
	for name, tt := range map[string]struct {
		base    provider.ReleaseProvider
		current func() *policy.Rules
		layers  []chain.Layer
		want    string
	}{
		"no base":    {nil, rules, nil, "no base"},
		"no rules":   {base(), nil, nil, "current rules"},
		"no name":    {base(), rules, []chain.Layer{passThrough("a"), passThrough("")}, "layer 2 has no name"},
		"no wrap":    {base(), rules, []chain.Layer{{Name: "a"}}, `"a" has no Wrap`},
		"twice":      {base(), rules, []chain.Layer{passThrough("a"), passThrough("b"), passThrough("a")}, `"a" is there twice`},
		"order":      {base(), rules, []chain.Layer{passThrough("in"), passThrough("x"), passThrough("out", "in")}, `"in" is outside "out"`},
		"nil":        {base(), rules, []chain.Layer{nilLayer}, `"nil" returned no provider`},
		"ours wrong": {base(), rules, []chain.Layer{chain.Mirrors(chain.MirrorsConfig{}), chain.Cache(chain.CacheConfig{})}, `"mirrors" is outside "cache"`},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := chain.New(tt.base, tt.current, tt.layers...)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("New = %v, %v; want an error with %q", c, err, tt.want)
			}
		})
	}
}

func TestNoRulesYet(t *testing.T) {
	c, err := chain.New(base(), func() *policy.Rules { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lookup(t.Context(), provider.Request{Image: image}); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("Lookup without rules: %v; want ErrNoRules", err)
	}
	if _, err := c.Lookup(t.Context(), provider.Request{Image: image, Rules: rules()}); err != nil {
		t.Errorf("Lookup with rules of its own: %v", err)
	}
	if _, err := c.Lookup(t.Context(), provider.Request{Rules: rules()}); err == nil {
		t.Error("Lookup of no image succeeded")
	}
}

// The rules are read once per lookup; a chain inside a chain uses the same.
func TestRulesArePinned(t *testing.T) {
	reads := 0
	var seen []*policy.Rules
	see := provider.ReleaseFunc(func(ctx context.Context, req provider.Request) (*provider.Release, error) {
		seen = append(seen, req.Rules)
		return base().Lookup(ctx, req)
	})
	current := func() *policy.Rules { reads++; return rules() }
	inner, err := chain.New(see, current)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := chain.New(inner, current, passThrough("a"))
	if err != nil {
		t.Fatal(err)
	}
	own := newRules(t, mirrored("a.example"))
	for _, req := range []provider.Request{{Image: image}, {Image: image, Rules: own}} {
		if _, err := outer.Lookup(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if reads != 1 {
		t.Errorf("rules read %d times; want once, and not for the request that has its own", reads)
	}
	if seen[0] == nil || seen[1] != own {
		t.Errorf("the base saw %v; want the pinned rules, then the request's own", seen)
	}
	if got, want := outer.String(), "a > (provider)"; got != want {
		t.Errorf("String() = %q; want %q", got, want)
	}
}
