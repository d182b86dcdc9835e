package operator

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
)

// The library logs to slog and the operators to zap. These lines are what the operators
// wrote when the library still logged to zap; others read them.
func TestLines(t *testing.T) {
	var out bytes.Buffer
	log, err := NewLogger(&out, "debug")
	if err != nil {
		t.Fatal(err)
	}
	image := imageref.MustParse("quay.io/a/b:c")
	observer := chain.LogObserver(Slog(log))
	for _, e := range []chain.Event{
		{
			Kind: chain.AttemptDone, Image: image, Ref: image, Rules: "v", Took: 1500 * time.Millisecond, Wait: time.Second,
			Err: &provider.Error{Ref: image, Class: provider.ClassTLS, Err: errors.New("bad <cert>")},
		},
		{Kind: chain.Panicked, Image: image, Err: &chain.PanicError{Value: "boo", Stack: []byte("a\nb")}},
		{Kind: chain.LookupDone, Image: image, Err: &chain.Error{Image: image}},
		{Kind: chain.LookupStarted, Image: image},
	} {
		observer.Observe(t.Context(), e)
	}
	states := sources.Static("s", policy.Policy{Warnings: []policy.Warning{
		{Code: "code", Message: "a warning", Origins: []string{"a", "b"}}, {Code: "code", Message: "no origins"},
	}})
	if _, err := NewResolver(t.Context(), log.Named("part").With(zap.String("with", "it")), states); err != nil {
		t.Fatal(err)
	}
	if _, err := NewResolver(t.Context(), log, away{}); err != nil {
		t.Fatal(err)
	}

	got := regexp.MustCompile(`"ts":"20[0-9T:.-]+Z","caller":"(chain|sources)/[a-z]+\.go:[0-9]+",`).ReplaceAllString(out.String(), "")
	got = regexp.MustCompile(`"logger":"part","caller":"sources/[a-z]+\.go:[0-9]+",`).ReplaceAllString(got, `"logger":"part",`)
	got = regexp.MustCompile(`"ts":"20[0-9T:.-]+Z",|"version":"[^"]+",`).ReplaceAllString(got, "")
	want := `
{"level":"info","msg":"attempt-done","image":"quay.io/a/b:c","endpoint":"quay.io/a/b:c","rules":"v","took":"1.5s","wait":"1s","class":"tls","error":"quay.io/a/b:c: bad <cert>"}
{"level":"error","msg":"panicked","image":"quay.io/a/b:c","class":"unknown","error":"chain: panic in a lookup: boo","stack":"a\nb"}
{"level":"warn","msg":"lookup-done","image":"quay.io/a/b:c","class":"unknown","error":"looking up quay.io/a/b:c: failed"}
{"level":"debug","msg":"lookup-started","image":"quay.io/a/b:c"}
{"level":"warn","logger":"part","msg":"a warning","with":"it","code":"code","origins":["a","b"]}
{"level":"warn","logger":"part","msg":"no origins","with":"it","code":"code","origins":[]}
{"level":"info","logger":"part","msg":"mirror rules in force","with":"it","sources":1}
{"level":"warn","msg":"mirror policies not loaded; what the source said last stays in force","source":"away","invalid":false,"error":"no answer"}
`
	if want = strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("the log is\n%swant\n%s", got, want)
	}
}

// away is a source that does not answer.
type away struct{}

func (away) Name() string { return "away" }

func (away) Load(context.Context) (policy.Policy, error) {
	return policy.Policy{}, errors.New("no answer")
}
