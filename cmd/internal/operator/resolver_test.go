package operator

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// A handed-on document of a later version keeps nobody from starting: what is wrong is
// named, the last good rules stay in force, and the mended document is followed.
func TestUnreadableDocument(t *testing.T) {
	name := filepath.Join(t.TempDir(), handover.Key)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	document := func(mirror string) string {
		t.Helper()
		rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{
			{Source: "a.io", Pull: policy.PullAny, Mirrors: []policy.Mirror{{Location: mirror}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		bundle, err := handover.NewBundle(rules)
		if err != nil {
			t.Fatal(err)
		}
		data, err := bundle.ConfigMapData()
		if err != nil {
			t.Fatal(err)
		}
		return data[handover.Key]
	}
	later := func(mirror string) string {
		return strings.Replace(document(mirror), `"version":1`, `"version":2`, 1)
	}
	write(later("first.io"))
	src, err := file.Factory(file.Config{}).Open(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewResolver(t.Context(), nil, src)
	if err != nil {
		t.Fatal(err)
	}
	if err := NotInForce(r); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "version") {
		t.Errorf("not ready says %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Start(ctx) }()
	await := func(what string, is func() bool) {
		t.Helper()
		for limit := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("waiting for %s: %v", what, NotInForce(r))
			}
		}
	}
	mirror := func(want string) func() bool {
		return func() bool {
			for s := range r.Current().Merged() {
				return NotInForce(r) == nil && s.DigestMirrors[0].Location == want
			}
			return false
		}
	}
	write(document("second.io"))
	await("the mended document", func() bool { return r.Current() != nil && mirror("second.io")() })
	write(later("third.io"))
	await("the unreadable document", func() bool { return NotInForce(r) != nil })
	for s := range r.Current().Merged() {
		if s.DigestMirrors[0].Location != "second.io" {
			t.Errorf("in force is %v", s)
		}
	}
	write(document("fourth.io"))
	await("the document that was mended again", mirror("fourth.io"))
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
