package handover_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/policytest"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

func mustRules(t testing.TB, policies ...policy.Policy) *policy.Rules {
	t.Helper()
	r, err := policy.NewRules(policy.RulesConfig{}, policies...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func bundle(t *testing.T, policies ...policy.Policy) handover.Bundle {
	t.Helper()
	return bundleOf(t, mustRules(t, policies...))
}

func bundleOf(t *testing.T, rules *policy.Rules) handover.Bundle {
	t.Helper()
	b, err := handover.NewBundle(rules)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rule(pull policy.PullBy, origin, source string, mirrors ...string) policy.Rule {
	r := policy.Rule{Source: source, Pull: pull, Origin: origin}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return r
}

func rewrite(source, target string) policy.Rule {
	r := rule(policy.PullAny, "--registry-overrides", source, target)
	r.Kind = policy.KindRewrite
	return r
}

// all returns everything that is handed on, as one text.
func all(t *testing.T, b handover.Bundle) string {
	t.Helper()
	vars, err := b.Env()
	if err != nil {
		t.Fatal(err)
	}
	data, err := b.ConfigMapData()
	if err != nil {
		t.Fatal(err)
	}
	flag, err := b.RegistryOverrides()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%v\n%v\n%s", vars, data, flag)
}

// The same objects in any order make the same bytes, and the admin's order of
// mirrors is in them.
func TestBundleIsStable(t *testing.T) {
	policies := []policy.Policy{
		{Rules: []policy.Rule{rule(policy.PullDigest, "idms/1", "quay.io/x", "z.local/a", "m.local/a")}},
		{Rules: []policy.Rule{rule(policy.PullDigest, "idms/2", "quay.io/x", "m.local/a", "b.local/a")}},
		{Rules: []policy.Rule{rule(policy.PullTag, "itms/1", "quay.io/x", "t.local/a", "z.local/a")}},
		{Rules: []policy.Rule{rule(policy.PullDigest, "icsp/1", "*.redhat.io", "w.local/r")}},
		{Rules: []policy.Rule{rewrite("q.io", "r.io"), rewrite("q-a.io", "r.io")}},
		{Rules: []policy.Rule{rewrite("q.io", "r.io")}, Insecure: []policy.Scope{{Name: "m.local", Origin: "image/cluster"}}},
		{Blocked: []policy.Scope{{Name: "evil.io", Origin: "image/cluster"}, {Name: "bad.io", Origin: "image/cluster"}}},
		{Blocked: []policy.Scope{{Name: "evil.io", Origin: "another"}}},
	}
	want := all(t, bundle(t, policies...))
	for _, part := range []string{
		"{OPENSHIFT_IMG_OVERRIDES *.redhat.io=w.local/r,quay.io/x=z.local/a,quay.io/x=m.local/a,quay.io/x=b.local/a,quay.io/x=t.local/a}",
		`{MIRRORCHAIN_OVERRIDES {"kind":"MirrorchainOverrides","version":1,`,
		`map[overrides.json:{"kind":"MirrorchainOverrides",`,
		"\nq-a.io=r.io,q.io=r.io",
	} {
		if !strings.Contains(want, part) {
			t.Errorf("got\n%s\nwithout\n%s", want, part)
		}
	}
	for range 100 {
		rand.Shuffle(len(policies), func(i, j int) { policies[i], policies[j] = policies[j], policies[i] })
		if got := all(t, bundle(t, policies...)); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	}
}

// A tool that writes the same entries anew, under other names and in another order,
// changes no variable, and so restarts nothing.
func TestVariablesSayNothingOfOrigins(t *testing.T) {
	env := func(names ...string) []handover.EnvVar {
		vars, err := bundle(t, policy.Policy{
			Rules: []policy.Rule{
				rule(policy.PullDigest, names[0], "quay.io/x", "z.local/a"), rule(policy.PullTag, names[1], "quay.io/x", "t.local/a"),
				{Kind: policy.KindRewrite, Source: "q.io", Mirrors: []policy.Mirror{{Location: "r.io"}}, Pull: policy.PullAny, Origin: names[2]},
			},
			Insecure: []policy.Scope{{Name: "quay.io/x/y", Origin: names[3]}},
			Blocked:  []policy.Scope{{Name: "evil.io", Origin: names[4]}},
		}).Env()
		if err != nil {
			t.Fatal(err)
		}
		return vars
	}
	a, b := env("idms/1#1", "itms/1#1", "flag#1", "image/a", "image/b"), env("idms/2#7", "itms/3#2", "flag#9", "image/c", "image/d")
	if !slices.Equal(a, b) {
		t.Errorf("got\n%v\nand\n%v", a, b)
	}
}

// What a receiver hands on in turn is what it was handed.
func TestBundleOfHandedOn(t *testing.T) {
	handed := 0
	for seed := range uint64(300) {
		s := policytest.New(seed)
		r, err := policy.NewRules(s.Config, s.Policies...)
		if err != nil {
			continue
		}
		first, err := handover.NewBundle(r)
		if err != nil {
			t.Fatal(err)
		}
		data, err := first.ConfigMapData()
		if err != nil {
			t.Fatal(err)
		}
		p, err := handover.Decode("", []byte(data[handover.Key]))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := all(t, bundle(t, p)), all(t, first); got != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
		handed++
	}
	if handed < 150 {
		t.Errorf("only %d sets load", handed)
	}
}

func TestNothing(t *testing.T) {
	const document = `{"kind":"MirrorchainOverrides","version":1}`
	b := bundle(t)
	vars, err := b.Env()
	if want := []handover.EnvVar{{Name: handover.ImageOverridesVariable, Value: "="}, {Name: "MIRRORCHAIN_OVERRIDES", Value: document}}; err != nil || !reflect.DeepEqual(vars, want) {
		t.Errorf("got %v, %v, want %v", vars, err, want)
	}
	if flag, err := b.RegistryOverrides(); flag != "=" || err != nil {
		t.Errorf("got %q, %v", flag, err)
	}
	// No rules known yet are not the same as none.
	if _, err := handover.NewBundle(nil); !errors.Is(err, provider.ErrNoRules) {
		t.Errorf("nil rules: %v, want ErrNoRules", err)
	}
}

// repositories returns a policy of n sources with five mirrors each.
func repositories(n int) policy.Policy {
	var p policy.Policy
	for i := range n {
		source := fmt.Sprintf("quay.io/namespace/repository-%05d", i)
		r := rule(policy.PullDigest, fmt.Sprintf("imagedigestmirrorset/repositories#%d", i+1), source)
		for m := range 5 {
			r.Mirrors = append(r.Mirrors, policy.Mirror{Location: fmt.Sprintf("mirror-%d.example.com:5000/namespace/repository-%05d", m, i)})
		}
		p.Rules = append(p.Rules, r)
	}
	return p
}

func tooLarge(t *testing.T, err error, what string, limit int) *handover.TooLargeError {
	t.Helper()
	e, ok := errors.AsType[*handover.TooLargeError](err)
	if !ok {
		t.Fatalf("got %v, want a TooLargeError of %s", err, what)
	}
	if e.What != what || e.Limit != limit || e.Size <= limit || !strings.Contains(err.Error(), fmt.Sprintf("%s would have %d bytes, the limit is %d", what, e.Size, e.Limit)) {
		t.Errorf("got %+v: %v", e, err)
	}
	return e
}

// 500 sources with five mirrors each are too much for variables and fit into a
// ConfigMap.
func TestTooLarge(t *testing.T) {
	b := bundle(t, repositories(500))
	vars, err := b.Env()
	if e := tooLarge(t, err, handover.ImageOverridesVariable, 100<<10); vars != nil || !strings.Contains(e.Advice, "ConfigMap") {
		t.Errorf("got %v and the advice %q", vars, e.Advice)
	}
	data, err := b.ConfigMapData()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("500 sources with 5 mirrors: a document of %d bytes", len(data["overrides.json"]))

	// Neither variable is written where only the document is too large.
	var short policy.Policy
	for i := range 1500 {
		short.Rules = append(short.Rules, rule(policy.PullDigest, "", fmt.Sprintf("a.io/%d", i), fmt.Sprintf("m.io/%d", i)))
	}
	b = bundle(t, short)
	if _, err := b.ImageOverrides(); err != nil {
		t.Fatal(err)
	}
	vars, err = b.Env()
	if tooLarge(t, err, "MIRRORCHAIN_OVERRIDES", 100<<10); vars != nil {
		t.Errorf("got %v", vars)
	}

	data, err = bundle(t, repositories(2500)).ConfigMapData()
	if tooLarge(t, err, "overrides.json", 900<<10); data != nil {
		t.Error("a document that is too large is given all the same")
	}
}

// The limits are kept to the byte.
func TestLimits(t *testing.T) {
	padded := func(n int) handover.Bundle {
		return bundle(t, policy.Policy{Rules: []policy.Rule{rewrite("a.io", strings.Repeat("b", n))}})
	}
	document := func(b handover.Bundle) int {
		data, err := b.ConfigMapData()
		if err != nil {
			t.Fatal(err)
		}
		return len(data[handover.Key])
	}
	vars, err := padded(1).Env()
	if err != nil {
		t.Fatal(err)
	}
	fits := handover.MaxEnv - len("MIRRORCHAIN_OVERRIDES=") - (len(vars[1].Value) - 1)
	if _, err := padded(fits).Env(); err != nil {
		t.Error(err)
	}
	_, err = padded(fits + 1).Env()
	if e := tooLarge(t, err, "MIRRORCHAIN_OVERRIDES", handover.MaxEnv); e.Size != handover.MaxEnv+1 {
		t.Errorf("size %d", e.Size)
	}
	base := document(padded(1)) - 1
	if got := document(padded(handover.MaxDocument - base)); got != handover.MaxDocument {
		t.Errorf("%d bytes", got)
	}
	_, err = padded(handover.MaxDocument - base + 1).ConfigMapData()
	tooLarge(t, err, "overrides.json", handover.MaxDocument)

	rewrites := func(n int) handover.Bundle {
		return bundle(t, policy.Policy{Rules: []policy.Rule{rewrite("a", strings.Repeat("b", n))}})
	}
	pairs := func(n int) handover.Bundle {
		return bundle(t, policy.Policy{Rules: []policy.Rule{rule(policy.PullDigest, "", "a", strings.Repeat("b", n))}})
	}
	fits = handover.MaxEnv - len("OPENSHIFT_IMG_OVERRIDES=a=")
	if _, err := pairs(fits).ImageOverrides(); err != nil {
		t.Error(err)
	}
	_, err = pairs(fits + 1).ImageOverrides()
	tooLarge(t, err, "OPENSHIFT_IMG_OVERRIDES", handover.MaxEnv)

	fits = handover.MaxEnv - len("--registry-overrides=a=")
	if _, err := rewrites(fits).RegistryOverrides(); err != nil {
		t.Error(err)
	}
	_, err = rewrites(fits + 1).RegistryOverrides()
	tooLarge(t, err, "--registry-overrides", handover.MaxEnv)
}

// What the variable of HyperShift cannot express fails it and nothing else.
func TestInexpressible(t *testing.T) {
	b := bundle(t, policy.Policy{Rules: []policy.Rule{
		rule(policy.PullTag, "o", "a.io", "m.io/a,b"), rewrite("r.io", "s.io/a,b"),
	}})
	if vars, err := b.Env(); err == nil {
		t.Errorf("got %v", vars)
	}
	if flag, err := b.RegistryOverrides(); err == nil {
		t.Errorf("got %q", flag)
	}
	if _, err := b.ConfigMapData(); err != nil {
		t.Error(err)
	}
}
