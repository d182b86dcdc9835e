package file_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/sourcetest"
)

// overrides returns the document of a rule that forbids its source.
func overrides(t *testing.T, source string, mirrors ...string) string {
	t.Helper()
	r := policy.Rule{Source: source, NeverContactSource: true, Origin: "imagedigestmirrorset/a#1"}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{r}})
	must(t, err)
	data, err := handover.Encode(rules)
	must(t, err)
	return string(data)
}

// The document that an operator keeps in a ConfigMap passes the suite as file and as
// directory of the mount.
func TestHandoverConformance(t *testing.T) {
	for name, below := range map[string]string{"file": "/" + handover.Key, "directory": ""} {
		t.Run(name, func(t *testing.T) {
			sourcetest.Test(t, func(t *testing.T) sourcetest.Fixture {
				dir := t.TempDir()
				mount(t, dir, handover.Key, overrides(t, "a.io", "m.io"))
				return sourcetest.Fixture{
					Source: openWith(t, dir+below, quick),
					Change: func(t *testing.T) { swap(t, dir, "..v2", handover.Key, overrides(t, "a.io", "n.io", "m.io")) },
					Break:  func(t *testing.T) { swap(t, dir, "..v3", handover.Key, overrides(t, "a.io", "m.io")[:60]) },
				}
			})
		})
	}
}

// A resolver follows the mount: from the rules of one document to those of the next,
// over one that is broken.
func TestHandoverIsFollowed(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir, handover.Key, overrides(t, "a.io", "m.io"))
	r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, openWith(t, dir+"/"+handover.Key, quick))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	var seen []string
	for rules := range r.Changes(ctx) {
		var mirrors []string
		for s := range rules.Merged() {
			if !s.NeverContactSource {
				t.Errorf("%s may be contacted", s.Source)
			}
			for _, m := range s.DigestMirrors {
				mirrors = append(mirrors, m.Location)
			}
		}
		seen = append(seen, strings.Join(mirrors, ","))
		switch len(seen) {
		case 1:
			swap(t, dir, "..v2", handover.Key, "{")
			swap(t, dir, "..v3", handover.Key, overrides(t, "a.io", "n.io", "m.io"))
			continue
		}
		break
	}
	cancel()
	must(t, <-ended)
	if got := strings.Join(seen, " then "); got != "m.io then n.io,m.io" {
		t.Errorf("got %s", got)
	}
}

func TestHandoverForms(t *testing.T) {
	document := overrides(t, "a.io", "m.io")
	const yaml = "kind: MirrorchainOverrides\nversion: 1\nregistries:\n- {prefix: a.io, blocked: true}\n"
	for _, test := range []struct{ name, text, want string }{
		{"as YAML", yaml, "read as JSON"},
		{"twice", document + document, "something follows the end"},
		{"after another", `{"kind":"ConfigMap"}` + document, "read as JSON"},
		{"in a list", `{"kind":"List","apiVersion":"v1","items":[` + document + `]}`, "read as JSON"},
		{"a newer one", strings.Replace(document, `"version":1`, `"version":2`, 1), "upgrade"},
		{"cut off", document[:80], "ends too early"},
	} {
		path := write(t, t.TempDir()+"/overrides.json", test.text)
		p, err := openWith(t, path, quick).Load(t.Context())
		wrong, ok := errors.AsType[*policy.InvalidPolicyError](err)
		if !ok || !strings.HasPrefix(wrong.Origin, "file:"+path) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %+v, %v, want an InvalidPolicyError with %q", test.name, p, err, test.want)
		}
	}
}

// No rules handed on are no rules, and nothing to be warned of.
func TestHandoverOfNothing(t *testing.T) {
	rules, err := policy.NewRules(policy.RulesConfig{})
	must(t, err)
	data, err := handover.Encode(rules)
	must(t, err)
	path := write(t, t.TempDir()+"/overrides.json", string(data))
	stdin, err := os.Open(path)
	must(t, err)
	defer stdin.Close()
	for _, src := range []policy.OverrideSource{openWith(t, path, quick), openWith(t, "-", file.Config{Stdin: stdin})} {
		p, err := src.Load(t.Context())
		if err != nil || len(p.Rules)+len(p.Warnings) != 0 {
			t.Errorf("%s: got %+v, %v", src.Name(), p, err)
		}
	}
}
