package policy_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Rules that nobody made are those of no policies.
func TestZeroRules(t *testing.T) {
	none, err := policy.NewRules(policy.RulesConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*policy.Rules{"nil": nil, "zero": {}} {
		if r.Version() != none.Version() {
			t.Errorf("%s: version %q, want %q", name, r.Version(), none.Version())
		}
		ref := imageref.MustParse("quay.io/a/b")
		want := []policy.Candidate{{Ref: ref.Normalize()}}
		if got, err := r.Candidates(ref); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: candidates %v, %v", name, got, err)
		}
		if got, err := r.Resolve(ref); err != nil || !reflect.DeepEqual(got, policy.Resolution{Normalized: ref.Normalize(), Candidates: want}) {
			t.Errorf("%s: resolution %+v, %v", name, got, err)
		}
		if _, err := r.Candidates(imageref.Ref{}); !errors.Is(err, policy.ErrNoImage) {
			t.Errorf("%s: candidates of no image: %v", name, err)
		}
		if _, err := r.Resolve(imageref.Ref{}); !errors.Is(err, policy.ErrNoImage) {
			t.Errorf("%s: resolution of no image: %v", name, err)
		}
		if got := r.Rewrite(ref); got != ref {
			t.Errorf("%s: rewritten to %s", name, got)
		}
		if got := slices.Collect(r.Merged()); len(got)+len(r.Warnings())+len(r.Insecure())+len(r.Blocked()) != 0 {
			t.Errorf("%s: %v, %v, %v, %v", name, got, r.Warnings(), r.Insecure(), r.Blocked())
		}
		if p := r.Policy(); !reflect.DeepEqual(p, none.Policy()) {
			t.Errorf("%s: policy %+v", name, p)
		}
	}
	// A method that is new and forgets them shows here.
	for _, r := range []*policy.Rules{nil, {}} {
		v := reflect.ValueOf(r)
		for i := range v.NumMethod() {
			args := make([]reflect.Value, v.Method(i).Type().NumIn())
			for j := range args {
				args[j] = reflect.Zero(v.Method(i).Type().In(j))
			}
			v.Method(i).Call(args)
		}
	}
}
