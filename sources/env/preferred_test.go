package env_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/env"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/sourcetest"
)

// variables is an environment that a test changes.
type variables struct {
	mu  sync.Mutex
	all map[string]string
}

func (v *variables) lookup(name string) (string, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	value, ok := v.all[name]
	return value, ok
}

func (v *variables) set(name, value string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.all[name] = value
}

// handedOn returns an operator's environment for what it starts.
func handedOn(t *testing.T, p policy.Policy) map[string]string {
	t.Helper()
	rules, err := policy.NewRules(policy.RulesConfig{}, p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := handover.NewBundle(rules)
	if err != nil {
		t.Fatal(err)
	}
	vars, err := b.Env()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, v := range vars {
		out[v.Name] = v.Value
	}
	return out
}

func forbidding(mirrors ...string) policy.Policy {
	r := policy.Rule{Source: "quay.io/a", NeverContactSource: true, Origin: "imagedigestmirrorset/a#1"}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return policy.Policy{Rules: []policy.Rule{r}}
}

func candidates(t *testing.T, r *policy.Rules, image string) string {
	t.Helper()
	all, err := r.Candidates(imageref.MustParse(image))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range all {
		out = append(out, c.Ref.String())
	}
	return strings.Join(out, " ")
}

// The document is preferred, and says what the other variable cannot; where it is
// not there the other one counts. What was there and is wrong is no reason to read
// the other, which would allow what the document forbids.
func TestPreferred(t *testing.T) {
	both := handedOn(t, forbidding("m.com/a"))
	const broken = `{"kind":"MirrorchainOverrides","version":2}`
	for _, test := range []struct {
		name string
		vars map[string]string
		want string // candidates for a tag, which the digest rule leaves none
		err  string
	}{
		{"both", both, "", ""},
		{"the document alone", map[string]string{handover.Variable: both[handover.Variable]}, "", ""},
		{"the mirrors alone", map[string]string{handover.ImageOverridesVariable: both[handover.ImageOverridesVariable]}, "m.com/a:t quay.io/a:t", ""},
		{"an empty document", map[string]string{handover.Variable: "", handover.ImageOverridesVariable: both[handover.ImageOverridesVariable]}, "m.com/a:t quay.io/a:t", ""},
		{"mirrors in its place", map[string]string{handover.Variable: "quay.io/a=n.com/a", handover.ImageOverridesVariable: both[handover.ImageOverridesVariable]}, "n.com/a:t quay.io/a:t", ""},
		{"none in its place", map[string]string{handover.Variable: "=", handover.ImageOverridesVariable: both[handover.ImageOverridesVariable]}, "quay.io/a:t", ""},
		{"a document in the other's place", map[string]string{handover.ImageOverridesVariable: both[handover.Variable]}, "", ""},
		{"a newer document", map[string]string{handover.Variable: broken, handover.ImageOverridesVariable: both[handover.ImageOverridesVariable]}, "", "invalid policy env:MIRRORCHAIN_OVERRIDES: the document has version 2"},
		{"neither", nil, "quay.io/a:t", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := &variables{all: test.vars}
			src, err := env.Preferred(v.lookup, handover.Variable, handover.ImageOverridesVariable)
			if err != nil {
				t.Fatal(err)
			}
			r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, src)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := candidates(t, r.Current(), "quay.io/a:t"); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			// The two agree on what the mirrors are.
			if test.name == "both" && candidates(t, r.Current(), "quay.io/a@sha256:"+strings.Repeat("0", 64)) == "" {
				t.Error("no mirror")
			}
		})
	}
}

// A resolver follows the variables: what is preferred may come later.
func TestPreferredIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &variables{all: map[string]string{handover.ImageOverridesVariable: "quay.io/a=m.com/a"}}
		src, err := env.Preferred(v.lookup, handover.Variable, handover.ImageOverridesVariable)
		if err != nil {
			t.Fatal(err)
		}
		r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{}, src)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Start(ctx) }()
		if got := candidates(t, r.Current(), "quay.io/a:t"); got != "m.com/a:t quay.io/a:t" {
			t.Errorf("at first: %q", got)
		}
		v.set(handover.Variable, handedOn(t, forbidding("n.com/a"))[handover.Variable])
		<-time.After(2 * sources.DefaultPoll)
		synctest.Wait()
		if got := candidates(t, r.Current(), "quay.io/a:t"); got != "" {
			t.Errorf("with a document: %q", got)
		}
		v.set(handover.Variable, "{")
		<-time.After(2 * sources.DefaultPoll)
		synctest.Wait()
		if got := candidates(t, r.Current(), "quay.io/a:t"); got != "" || r.Status()[0].Err == nil {
			t.Errorf("with a broken document: %q, %v", got, r.Status()[0].Err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestPreferredNames(t *testing.T) {
	src, err := env.Preferred(nil, "NO_SUCH_VARIABLE_A", "NO_SUCH_VARIABLE_B")
	if err != nil {
		t.Fatal(err)
	}
	p, err := src.Load(t.Context())
	if err != nil || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0].Message, "NO_SUCH_VARIABLE_A, NO_SUCH_VARIABLE_B") {
		t.Errorf("got %+v, %v, want a warning that names both", p, err)
	}
	if got, want := src.Name(), "env:NO_SUCH_VARIABLE_A,NO_SUCH_VARIABLE_B"; got != want {
		t.Errorf("named %s, want %s", got, want)
	}
	for _, names := range [][]string{nil, {""}, {"A", ""}, {"A,B"}, {"A=B"}} {
		_, err := env.Preferred(nil, names...)
		if _, ok := errors.AsType[*sources.SpecError](err); !ok {
			t.Errorf("%q: %v", names, err)
		}
	}
}

func TestPreferredConformance(t *testing.T) {
	sourcetest.Test(t, func(t *testing.T) sourcetest.Fixture {
		v := &variables{all: handedOn(t, forbidding("m.com/a", "n.com/a"))}
		registry, err := sources.NewSchemes(env.Factory(v.lookup))
		if err != nil {
			t.Fatal(err)
		}
		src, err := registry.Open(t.Context(), "env:MIRRORCHAIN_OVERRIDES,OPENSHIFT_IMG_OVERRIDES")
		if err != nil {
			t.Fatal(err)
		}
		return sourcetest.Fixture{
			Source: sources.Poll(src, time.Millisecond),
			Change: func(t *testing.T) { v.set(handover.Variable, handedOn(t, forbidding("o.com/a"))[handover.Variable]) },
			Break:  func(*testing.T) { v.set(handover.Variable, `{"kind":"MirrorchainOverrides","version":1,`) },
		}
	})
}

// A document of a later version, as in a rollout of one of two programs, ends no process
// that says it tolerates it: before there are rules it waits, with rules it keeps them, it
// says which version it cannot read, and it goes on when the document is mended.
func TestLaterVersionIsAState(t *testing.T) {
	const later = `{"kind":"MirrorchainOverrides","version":2,"mirrors":{}}`
	synctest.Test(t, func(t *testing.T) {
		v := &variables{all: map[string]string{handover.Variable: later, handover.ImageOverridesVariable: "quay.io/a=m.com/a"}}
		src, err := env.Preferred(v.lookup, handover.Variable, handover.ImageOverridesVariable)
		if err != nil {
			t.Fatal(err)
		}
		r, err := sources.NewResolver(t.Context(), sources.ResolverConfig{TolerateInvalid: true}, src)
		if err != nil {
			t.Fatalf("the process does not start: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Start(ctx) }()
		says := func(when string) {
			t.Helper()
			err := r.Status()[0].Err
			const want = "invalid policy env:MIRRORCHAIN_OVERRIDES: the document has version 2 and this program reads version 1; upgrade"
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s it says %v, want %q", when, err, want)
			}
		}
		if r.Current() != nil {
			t.Error("there are rules, of a document that nobody could read")
		}
		says("at the start")
		for _, mirror := range []string{"m.com/a", "n.com/a"} {
			document := handedOn(t, forbidding(mirror))[handover.Variable]
			v.set(handover.Variable, document)
			<-time.After(2 * sources.DefaultPoll)
			synctest.Wait()
			digest := "@sha256:" + strings.Repeat("0", 64)
			if r.Current() == nil || candidates(t, r.Current(), "quay.io/a"+digest) != mirror+digest || r.Status()[0].Err != nil {
				t.Fatalf("mended, and the status is %+v", r.Status()[0])
			}
			inForce := r.Current().Version()
			v.set(handover.Variable, later)
			<-time.After(2 * sources.DefaultPoll)
			synctest.Wait()
			if r.Current() == nil || r.Current().Version() != inForce {
				t.Error("the last good rules are not in force")
			}
			says("while it runs")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
