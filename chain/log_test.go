package chain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// logged runs what a test does with a chain whose observer logs at level, and
// returns the lines.
func logged(t *testing.T, level slog.Level, do func(chain.Observer)) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	do(chain.LogObserver(slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: level}))))
	var lines []map[string]any
	for line := range strings.Lines(b.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, m)
	}
	return lines
}

func TestLogObserver(t *testing.T) {
	base := newFakes(t, map[string]endpoint{mirrorA: fails(provider.ClassTLS), source: answers})
	creds, err := provider.NewCredentials(map[string]provider.Credential{"a.example": provider.NewCredential("somebody", "hunter2")})
	if err != nil {
		t.Fatal(err)
	}
	run := func(o chain.Observer) {
		c := newChain(t, base, newRules(t, mirrored(source, mirrorA)),
			chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{o}}), chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}))
		lookup(t, c, provider.Request{Image: image, Credentials: creds})
		base.become(nil)
		if _, err := c.Lookup(t.Context(), provider.Request{Image: tagged, Credentials: creds}); !errors.Is(err, provider.ErrUnreachable) {
			t.Errorf("Lookup: %v", err)
		}
		base.become(map[string]endpoint{mirrorA: fails(provider.ClassTLS), source: answers})
	}
	for level, want := range map[slog.Level][]string{
		slog.LevelDebug: {
			"DEBUG lookup-started", "INFO attempt-done", "DEBUG host-suspect", "DEBUG attempt-done", "DEBUG cache-miss", "DEBUG lookup-done",
			"DEBUG lookup-started", "INFO attempt-done", "INFO attempt-done", "DEBUG host-suspect", "DEBUG cache-miss", "WARN lookup-done",
		},
		slog.LevelInfo: {"INFO attempt-done", "INFO attempt-done", "INFO attempt-done", "WARN lookup-done"},
		slog.LevelWarn: {"WARN lookup-done"},
	} {
		var got []string
		lines := logged(t, level, run)
		for _, l := range lines {
			got = append(got, l["level"].(string)+" "+l["msg"].(string))
			if text, _ := json.Marshal(l); bytes.Contains(text, []byte("hunter2")) || bytes.Contains(text, []byte("somebody")) || bytes.Contains(text, []byte(creds.ID())) {
				t.Errorf("a secret in %s", text)
			}
		}
		wantList(t, "lines at "+level.String(), got, want...)
		last := lines[len(lines)-1]
		if last["image"] != tagged.String() || last["class"] != "unreachable" || !strings.Contains(last["error"].(string), mirrorA) {
			t.Errorf("the failed lookup is logged as %v", last)
		}
	}
}
