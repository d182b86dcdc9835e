package chain_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// logged runs what a test does with a chain whose observer logs at level, and
// returns the lines.
func logged(t *testing.T, level zapcore.Level, do func(chain.Observer)) []map[string]any {
	t.Helper()
	var b bytes.Buffer
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(&b), level))
	do(chain.ZapObserver(log))
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

func TestZapObserver(t *testing.T) {
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
	for level, want := range map[zapcore.Level][]string{
		zap.DebugLevel: {
			"debug lookup-started", "info attempt-done", "debug host-suspect", "debug attempt-done", "debug cache-miss", "debug lookup-done",
			"debug lookup-started", "info attempt-done", "info attempt-done", "debug host-suspect", "debug cache-miss", "warn lookup-done",
		},
		zap.InfoLevel: {"info attempt-done", "info attempt-done", "info attempt-done", "warn lookup-done"},
		zap.WarnLevel: {"warn lookup-done"},
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
