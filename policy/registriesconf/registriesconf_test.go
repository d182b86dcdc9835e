package registriesconf_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/registriesconf"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/file"
)

// Who reads the file asks the same endpoints in the same order as the rules do.
func TestEncode(t *testing.T) {
	digest := "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	rules, err := policy.NewRules(policy.RulesConfig{},
		policy.Policy{Rules: []policy.Rule{
			{Source: "quay.io/release", Mirrors: []policy.Mirror{{Location: "b.example.com/r"}, {Location: "a.example.com/r"}}, NeverContactSource: true},
			{Source: "quay.io/release", Mirrors: []policy.Mirror{{Location: "tags.example.com/r"}}, Pull: policy.PullTag},
			{Source: "quay.io/any", Mirrors: []policy.Mirror{{Location: "any.example.com"}}, Pull: policy.PullAny},
			{Source: "*.redhat.io", Mirrors: []policy.Mirror{{Location: "mirror.example.com/redhat"}}},
			{Kind: policy.KindRewrite, Source: "docker.io/library", Mirrors: []policy.Mirror{{Location: "hub.example.com/library"}}, Pull: policy.PullAny},
		},
			Insecure: []policy.Scope{{Name: "a.example.com"}}, Blocked: []policy.Scope{{Name: "blocked.example.com"}},
		})
	if err != nil {
		t.Fatal(err)
	}
	conf, err := registriesconf.Encode(rules)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "registries.conf")
	if err := os.WriteFile(path, conf, 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := file.Open(path, file.Config{})
	if err != nil {
		t.Fatal(err)
	}
	read, err := source.Load(t.Context())
	if err != nil {
		t.Fatalf("%v\n%s", err, conf)
	}
	second, err := policy.NewRules(policy.RulesConfig{}, read)
	if err != nil {
		t.Fatalf("%v\n%s", err, conf)
	}
	endpoints := func(r *policy.Rules, ref imageref.Ref) (all []string) {
		cands, err := r.Candidates(ref)
		if err != nil {
			return []string{"refused"}
		}
		for _, c := range cands {
			s := c.Ref.String()
			if c.Insecure {
				s += " insecure"
			}
			all = append(all, s)
		}
		return all
	}
	for _, name := range []string{
		"quay.io/release/x" + digest, "quay.io/release/x:v1", "quay.io/any/x" + digest, "quay.io/any/x:v1", "quay.io/else:v1",
		"registry.redhat.io/x" + digest, "docker.io/library/busybox:latest", "a.example.com/x:v1", "blocked.example.com/x:v1",
	} {
		ref := imageref.MustParse(name)
		want, got := endpoints(rules, ref), endpoints(second, ref)
		if !slices.Equal(got, want) {
			t.Errorf("%s: a client of the file asks %q; want %q\n%s", name, got, want, conf)
		}
	}
}
