package handover_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/policytest"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

func mustEncode(tb testing.TB, r *policy.Rules) []byte {
	tb.Helper()
	data, err := handover.Encode(r)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// everything has a use for every field.
func everything() policy.Policy {
	return policy.Policy{
		Rules: []policy.Rule{
			{Source: "q.io/a", Mirrors: []policy.Mirror{{Location: "z.com/a"}, {Location: "m.com/a"}}, Origin: "idms/one#1"},
			{Source: "q.io/a", Mirrors: []policy.Mirror{{Location: "m.com/a"}}, Origin: "idms/two#1"},
			{Source: "q.io/a", Mirrors: []policy.Mirror{{Location: "t.com/a"}}, Pull: policy.PullTag, NeverContactSource: true, Origin: "itms/three#1"},
			{Source: "env.io", Mirrors: []policy.Mirror{{Location: "m.com/e"}}, Pull: policy.PullAny, Origin: "env:X#1"},
			{Source: "*.w.io", Location: "w.com", ConfTable: true, Insecure: true, Pull: policy.PullAny, Origin: "file:r.conf:1 $(HOME)"},
			{Source: "d.io", ConfTable: true, DigestOnly: true, Mirrors: []policy.Mirror{{Location: "m.com/d", Insecure: true}}, Origin: "file:r.conf:9"},
			{Source: "env.io", ConfTable: true, DropIn: true, Mirrors: []policy.Mirror{{Location: "m.com/f"}}, Pull: policy.PullAny, Origin: "file:r.conf.d/1.conf:1"},
			{Kind: policy.KindRewrite, Source: "r.io", Mirrors: []policy.Mirror{{Location: "s.io/r"}}, Pull: policy.PullAny, Origin: "flag#1"},
		},
		Insecure: []policy.Scope{{Name: "q.io/a/b", Origin: "image/cluster"}},
		Blocked:  []policy.Scope{{Name: "b.io", Origin: "image/cluster"}},
	}
}

const everythingText = `{"kind":"MirrorchainOverrides","version":1,"registries":[` +
	`{"prefix":"*.w.io","location":"w.com","insecure":true,"origins":["file:r.conf:1 \u0024(HOME)"]},` +
	`{"prefix":"b.io","blocked":true,"origins":["image/cluster"],"scope-only":true},` +
	`{"prefix":"d.io","mirror-by-digest-only":true,"mirrors":[{"location":"m.com/d","insecure":true,"pull-from-mirror":"digest-only"}],"origins":["file:r.conf:9"]},` +
	`{"prefix":"env.io","mirrors":[{"location":"m.com/f"}],"origins":["file:r.conf.d/1.conf:1"],"drop-in":true},` +
	`{"prefix":"q.io/a","blocked":true,"mirrors":[` +
	`{"location":"z.com/a","pull-from-mirror":"digest-only","origins":["idms/one#1"]},` +
	`{"location":"m.com/a","pull-from-mirror":"digest-only","origins":["idms/one#1","idms/two#1"]},` +
	`{"location":"t.com/a","pull-from-mirror":"tag-only","origins":["itms/three#1"]}],` +
	`"origins":["idms/one#1","idms/two#1","itms/three#1"],"blocked-by":{"scope":"q.io/a","origin":"itms/three#1"}},` +
	`{"prefix":"q.io/a/b","insecure":true,"mirrors":[` +
	`{"location":"z.com/a/b","pull-from-mirror":"digest-only","origins":["idms/one#1"]},` +
	`{"location":"m.com/a/b","pull-from-mirror":"digest-only","origins":["idms/one#1","idms/two#1"]},` +
	`{"location":"t.com/a/b","pull-from-mirror":"tag-only","origins":["itms/three#1"]}],"origins":["image/cluster"],"scope-only":true,"inherited-from":"q.io/a"}],` +
	`"rewrites":[{"source":"r.io","target":"s.io/r","origin":"flag#1"}],` +
	`"insecure-registries":[{"scope":"q.io/a/b","origin":"image/cluster"}],` +
	`"blocked-registries":[{"scope":"b.io","origin":"image/cluster"}]}`

// The form is pinned: other versions of this program read it.
func TestDocumentText(t *testing.T) {
	if got := string(mustEncode(t, mustRules(t, everything()))); got != everythingText {
		t.Errorf("got\n%s\nwant\n%s", got, everythingText)
	}
	if got := string(mustEncode(t, mustRules(t))); got != `{"kind":"MirrorchainOverrides","version":1}` {
		t.Errorf("of no rules: %s", got)
	}
}

// Reading gives back what the rules say of themselves, to the last origin, whoever
// has indented the text in between.
func TestRoundTrip(t *testing.T) {
	check := func(r *policy.Rules) {
		t.Helper()
		data := mustEncode(t, r)
		var indented bytes.Buffer
		if err := json.Indent(&indented, data, "", "  "); err != nil {
			t.Fatal(err)
		}
		for _, data := range [][]byte{data, indented.Bytes()} {
			p, err := handover.Decode("", data)
			if err != nil {
				t.Fatalf("%v in\n%s", err, data)
			}
			if want := r.Policy(); !reflect.DeepEqual(p, want) {
				t.Fatalf("got\n%+v\nwant\n%+v\nfrom\n%s", p, want, data)
			}
		}
		p, _ := handover.Decode("", data)
		if second := mustEncode(t, mustRules(t, p)); !bytes.Equal(second, data) {
			t.Fatalf("written again\n%s\nwant\n%s", second, data)
		}
	}
	check(mustRules(t, everything()))
	loaded := 0
	for seed := range uint64(1000) {
		s := policytest.New(seed)
		if r, err := policy.NewRules(s.Config, s.Policies...); err == nil {
			loaded++
			check(r)
		}
	}
	if loaded < 500 {
		t.Errorf("only %d sets load", loaded)
	}
}

// Entries without an origin are named by their place where the reader says what it
// reads.
func TestUnnamed(t *testing.T) {
	p, err := handover.Decode("env:X", []byte(`{"kind":"MirrorchainOverrides","version":1,
		"registries":[{"prefix":"a.io","mirrors":[{"location":"m.io"}]}],"rewrites":[{"source":"r.io","target":"s.io"}],
		"insecure-registries":[{"scope":"i.io"}],"blocked-registries":[{"scope":"b.io"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{p.Rules[0].Origin, p.Rules[1].Origin, p.Insecure[0].Origin, p.Blocked[0].Origin}
	want := []string{"env:X registries[0]", "env:X rewrites[0]", "env:X insecure-registries[0]", "env:X blocked-registries[0]"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInvalidDocument(t *testing.T) {
	const head = `{"kind":"MirrorchainOverrides","version":1,`
	for _, tc := range []struct{ data, origin, message string }{
		{``, "", "ends too early"},
		{`[]`, "", "want an object, not a list"},
		{`"text"`, "", `want an object, not "text"`},
		{`null`, "", "want an object, not null"},
		{`{}`, "", `"kind" is missing`},
		{`{"version":1}`, "", `"kind" is missing`},
		{`{"kind":"MirrorchainOverrides"}`, "", `"version" is missing`},
		{`{"kind":"ConfigMap","version":1}`, "", `the kind is "ConfigMap"`},
		{`{"kind":"","version":0}`, "", `the kind is ""`},
		{`{"kind":"MirrorchainOverrides","version":0}`, "", "version 0"},
		{`{"kind":7,"version":1}`, "kind", "want a string, not 7"},
		{`{"kind":"MirrorchainOverrides","version":null}`, "", "version null"},
		{`{"kind":"MirrorchainOverrides","version":2,"tables":{}}`, "", "version 2 and this program reads version 1; upgrade"},
		{`{"allow":[],"version":2,"kind":"MirrorchainOverrides"}`, "", "upgrade"},
		{`{"kind":"MirrorchainOverrides","version":"1"}`, "", `version "1"`},
		{head + `"registries":[]} {}`, "", "something follows the end"},
		{head + `"registries":[]}x`, "", "something follows the end"},
		{head + `"registries":[],"registries":[]}`, "", `"registries" is there twice`},
		{head + `"Registries":[]}`, "", `"Registries" is no field of version 1`},
		{head + `"registries":null}`, "registries", "want a list, not null"},
		{head + `"registries":{}}`, "registries", "want a list, not an object"},
		{head + `"registries":["a.io"]}`, "registries[0]", `want an object, not "a.io"`},
		{head + `"registries":[{"prefix":"a.io"},{}]}`, "registries[1]", `"prefix" is missing`},
		{head + `"registries":[{"prefix":"a.io"},{"prefix":"a.io"}]}`, "registries[1].prefix", `"a.io" is there twice, first at number 0`},
		{head + `"registries":[{"prefix":"a.io","blocked":"true"}]}`, `registries[0] ("a.io").blocked`, `want true or false, not "true"`},
		{head + `"registries":[{"prefix":"a.io","blocked":null}]}`, `registries[0] ("a.io").blocked`, "not null"},
		{head + `"registries":[{"prefix":"a.io","blockd":true}]}`, `registries[0] ("a.io")`, `"blockd" is no field`},
		{head + `"registries":[{"prefix":"a.io","mirrors":[{"location":"m"},{"location":"n","pull-from-mirror":"never"}]}]}`,
			`registries[0] ("a.io").mirrors[1].pull-from-mirror`, `want all, digest-only or tag-only, not "never"`},
		{head + `"registries":[{"prefix":"a.io","mirrors":[{}]}]}`, `registries[0] ("a.io").mirrors[0]`, `"location" is missing`},
		{head + `"registries":[{"prefix":"a.io","mirrors":["m"]}]}`, `registries[0] ("a.io").mirrors[0]`, "want an object"},
		{head + `"registries":[{"prefix":"a.io","origins":["a",1]}]}`, `registries[0] ("a.io").origins[1]`, "want a string, not 1"},
		{head + `"registries":[{"prefix":"a.io","blocked-by":{"origin":"x"}}]}`, `registries[0] ("a.io").blocked-by`, `"scope" is missing`},
		{head + `"rewrites":[{"source":"a.io"}]}`, `rewrites[0] ("a.io")`, `"target" is missing`},
		{head + `"rewrites":[{"source":"a.io","target":"b"},{"source":"a.io","target":"c"}]}`, `rewrites[1].source`, "there twice"},
		{head + `"blocked-registries":[{"scope":"a.io"},{"scope":"a.io"}]}`, "blocked-registries[1].scope", "there twice"},
		{head + `"x-note":{"a":[}]}`, "", "x-note"},
		{head + `"registries":[{"prefix":"a.io",}]}`, `registries[0] ("a.io")`, "invalid character"},
		{head + "\"registries\":[{\"prefix\":\"a\xff.io\"}]}", "", "not UTF-8"},
	} {
		for where, want := range map[string]string{"": tc.origin, "file:o.json": strings.TrimSpace("file:o.json " + tc.origin)} {
			p, err := handover.Decode(where, []byte(tc.data))
			wrong, ok := errors.AsType[*policy.InvalidPolicyError](err)
			if !ok || wrong.Origin != want || !strings.Contains(wrong.Err.Error(), tc.message) {
				t.Errorf("%s\n got %v\nwant an InvalidPolicyError of %q with %q", tc.data, err, want, tc.message)
			}
			if !reflect.DeepEqual(p, policy.Policy{}) {
				t.Errorf("%s: half a policy comes with the error: %+v", tc.data, p)
			}
		}
	}
}

// A document that was cut off anywhere is an error, never a smaller document.
func TestCutOff(t *testing.T) {
	for n := range len(everythingText) {
		_, err := handover.Decode("x", []byte(everythingText[:n]))
		if wrong, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || wrong.Origin == "" {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
		if known := n >= len(`{"kind":"MirrorchainOverrides"`); handover.IsDocument([]byte(everythingText[:n])) != known {
			t.Fatalf("cut off after %d bytes: recognised %t", n, !known)
		}
	}
}

func TestIsDocument(t *testing.T) {
	for data, want := range map[string]bool{
		everythingText: true,
		" \n{\"version\": 1, \"x\": {\"kind\": \"A\"}, \"kind\": \"MirrorchainOverrides\"}": true,
		`{"kind":"ImageDigestMirrorSet"}`:          false,
		`[{"kind":"MirrorchainOverrides"}]`:        false,
		`{"a":{"kind":"MirrorchainOverrides"}}`:    false,
		`kind: MirrorchainOverrides`:               false,
		`quay.io=m.com`:                            false,
		``:                                         false,
		`{"kind":"MirrorchainOverrides" "broken":`: true,
	} {
		if got := handover.IsDocument([]byte(data)); got != want {
			t.Errorf("%s: recognised %t", data, got)
		}
	}
}

// What readers of this version may pass over.
func TestExtensions(t *testing.T) {
	p, err := handover.Decode("", []byte(`{"kind":"MirrorchainOverrides","x-written-by":{"a":[1,{}]},"version":1,
		"registries":[{"x-note":null,"prefix":"a.io","mirrors":[{"location":"m.io","x-weight":3}]}]}`))
	if err != nil || len(p.Rules) != 1 || len(p.Rules[0].Mirrors) != 1 {
		t.Errorf("got %+v, %v", p, err)
	}
}

func TestNotUTF8(t *testing.T) {
	rule := policy.Rule{Source: "a.io", Mirrors: []policy.Mirror{{Location: "m.io"}}, Origin: "file:\xff.yaml"}
	if data := mustEncode(t, mustRules(t, policy.Policy{Rules: []policy.Rule{rule}})); !bytes.Contains(data, []byte("file:\ufffd.yaml")) {
		t.Errorf("an origin that is not UTF-8: %s", data)
	}
	rule.Mirrors[0].Location = "m\xff.io"
	if data, err := handover.Encode(mustRules(t, policy.Policy{Rules: []policy.Rule{rule}})); err == nil {
		t.Errorf("a mirror that is not UTF-8 is written as %s", data)
	}
}

// FuzzDecode: whatever is read is an error that says where, or a policy that is
// written and read as itself.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(everythingText))
	f.Add([]byte(`{"kind":"MirrorchainOverrides","version":1,"x-a":[{}],"registries":[{"prefix":"a/","location":"b","mirrors":[{"location":"a","pull-from-mirror":"all","origins":[]}]}]}`))
	f.Add([]byte(`{"kind":"MirrorchainOverrides","version":2}`))
	for seed := range uint64(20) {
		s := policytest.New(seed)
		if r, err := policy.NewRules(s.Config, s.Policies...); err == nil {
			f.Add(mustEncode(f, r))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := handover.Decode("x", data)
		if err != nil {
			if wrong, ok := errors.AsType[*policy.InvalidPolicyError](err); !ok || wrong.Origin == "" {
				t.Fatalf("%v is no InvalidPolicyError that says where", err)
			}
			return
		}
		if !handover.IsDocument(data) {
			t.Fatal("read and not recognised")
		}
		r, err := policy.NewRules(policy.RulesConfig{}, p)
		if err != nil {
			return // read well, and no node would load it
		}
		second, err := handover.Decode("x", mustEncode(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(second, r.Policy()) {
			t.Fatalf("got\n%+v\nwant\n%+v", second, r.Policy())
		}
	})
}
