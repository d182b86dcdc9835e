package policy_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/policytest"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// answer is all that rules say about a reference, comparable in depth.
type answer struct {
	resolution policy.Resolution
	candidates []policy.Candidate
	rewritten  imageref.Ref
	errs       [2]policy.RewriteError
}

func answerOf(t *testing.T, r *policy.Rules, ref imageref.Ref) (a answer) {
	t.Helper()
	var errs [2]error
	a.resolution, errs[0] = r.Resolve(ref)
	a.candidates, errs[1] = r.Candidates(ref)
	a.rewritten = r.Rewrite(ref)
	for i, err := range errs {
		if err == nil {
			continue
		}
		e, ok := errors.AsType[*policy.RewriteError](err)
		if !ok {
			t.Fatal(err)
		}
		a.errs[i] = *e
		a.errs[i].Err = errors.New(e.Err.Error())
	}
	if len(a.candidates) == 0 {
		a.candidates = nil
	}
	return a
}

// same fails unless both rules answer alike, explanations included.
func same(t *testing.T, what string, want, got *policy.Rules, images []imageref.Ref) {
	t.Helper()
	if want.Version() != got.Version() {
		t.Errorf("%s: version %s, want %s", what, got.Version(), want.Version())
	}
	if w, g := slices.Collect(want.Merged()), slices.Collect(got.Merged()); !reflect.DeepEqual(w, g) {
		t.Errorf("%s: merged\n%+v\nwant\n%+v", what, g, w)
	}
	if w, g := fmt.Sprint(want.Insecure(), want.Blocked()), fmt.Sprint(got.Insecure(), got.Blocked()); w != g {
		t.Errorf("%s: scopes %s, want %s", what, g, w)
	}
	for _, ref := range images {
		if w, g := answerOf(t, want, ref), answerOf(t, got, ref); !reflect.DeepEqual(w, g) {
			t.Errorf("%s: %s\n%+v\nwant\n%+v", what, ref, g, w)
		}
	}
}

// handedOn checks everything that Rules.Policy promises about one set, and
// reports whether the set loads at all.
func handedOn(t *testing.T, s policytest.Set) bool {
	cfg, images := s.Config, s.Images
	r, err := policy.NewRules(cfg, s.Policies...)
	if err != nil {
		return false
	}
	p := r.Policy()
	second := mustRules(t, policy.RulesConfig{}, p)
	same(t, "handed on", r, second, images)
	if q := second.Policy(); !reflect.DeepEqual(p, q) {
		t.Errorf("handed on twice:\n%+v\nwant\n%+v", q, p)
	}
	if !reflect.DeepEqual(p, r.Policy()) {
		t.Errorf("asked twice:\n%+v\nwant\n%+v", r.Policy(), p)
	}
	if cfg.TagsFollowDigestRules {
		same(t, "tags follow there too", r, mustRules(t, cfg, p), images)
	}
	// Beside a policy of nothing, and beside itself, nothing changes.
	same(t, "composed", r, mustRules(t, policy.RulesConfig{}, policy.Policy{}, p, p), images)
	for _, rule := range p.Rules {
		if !rule.FromExport || rule.Kind == policy.KindMirror && !rule.ConfTable {
			t.Errorf("not marked: %+v", rule)
		}
	}
	return true
}

func TestPolicy(t *testing.T) {
	loaded := 0
	for seed := range uint64(500) {
		if handedOn(t, policytest.New(seed)) {
			loaded++
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if loaded < 250 {
		t.Errorf("only %d sets of 500 load", loaded)
	}
}

func FuzzPolicy(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { handedOn(t, policytest.New(seed)) })
}
