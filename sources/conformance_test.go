package sources_test

import (
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
	"github.com/mirrorchain/mirrorchain/sources/sourcetest"
)

// full returns a policy with something in every field.
func full() policy.Policy {
	return policy.Policy{
		Rules: []policy.Rule{
			{Source: "a.io", Mirrors: []policy.Mirror{{Location: "m.io"}, {Location: "n.io"}}, Origin: "o#1"},
			{Source: "b.io", Pull: policy.PullTag, Origin: "o#2"},
			{
				Source: "c.io", Mirrors: []policy.Mirror{{Location: "m.io"}}, ConfTable: true, FromExport: true, Origin: "o#7, o#8",
				Provenance: policy.Provenance{Origins: []string{"o#7", "o#8"}, Mirrors: [][]string{{"o#7"}}},
			},
		},
		Insecure: []policy.Scope{{Name: "i.io", Origin: "o#3"}},
		Blocked:  []policy.Scope{{Name: "b.io", Origin: "o#4"}},
		Skipped:  []policy.SkippedObject{{Kind: "ConfigMap", Name: "c", Origin: "o#5"}},
		Warnings: []policy.Warning{{Code: policy.WarnNoRules, Origins: []string{"o#6"}, Message: "m"}},
	}
}

func TestStatic(t *testing.T) {
	sourcetest.Test(t, func(*testing.T) sourcetest.Fixture {
		given := full()
		src := sources.Static("static", given)
		given.Rules[0].Mirrors[0].Location = "changed by who made it"
		given.Warnings[0].Origins[0] = "changed by who made it"
		return sourcetest.Fixture{Source: src}
	})
	given := full()
	src := sources.Static("static", given)
	given.Rules[0].Mirrors[0].Location = "changed"
	if p, err := src.Load(t.Context()); err != nil || p.Rules[0].Mirrors[0].Location != "m.io" {
		t.Errorf("got %v, %v: the policy is not copied", p, err)
	}
}

func TestPoll(t *testing.T) {
	sourcetest.Test(t, func(*testing.T) sourcetest.Fixture {
		f := newFake("polled", full())
		return sourcetest.Fixture{
			Source: sources.Poll(f, time.Millisecond),
			Change: func(*testing.T) { f.say(rules("other.io", "m.io")) },
			Break:  func(*testing.T) { f.fail(invalid()) },
			Away:   func(*testing.T) { f.fail(errAway) },
		}
	})
	w := &watched{fake: newFake("w", full())}
	if sources.Poll(w, time.Second) != policy.Watcher(w) {
		t.Error("Poll wraps a source that is a Watcher already")
	}
}

func TestWatchedFake(t *testing.T) {
	sourcetest.Test(t, func(*testing.T) sourcetest.Fixture {
		w := newWatched("watched", full())
		return sourcetest.Fixture{
			Source: w,
			Change: func(*testing.T) { w.say(rules("other.io", "m.io")); w.signal() },
			Break:  func(*testing.T) { w.fail(invalid()); w.signal() },
		}
	})
}
