package chain_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
)

const (
	source  = "quay.io/openshift-release-dev/ocp-release"
	mirrorA = "a.example/ocp/release"
	mirrorB = "b.example/ocp/release"
)

var (
	digest = "sha256:" + strings.Repeat("a", 64)
	image  = imageref.MustParse(source + "@" + digest)
	tagged = imageref.MustParse(source + ":4.17.3")
)

func newRules(t testing.TB, rules ...policy.Rule) *policy.Rules {
	t.Helper()
	r, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mirrored returns a rule that sends source to mirrors first, digests and tags alike.
func mirrored(source string, mirrors ...string) policy.Rule {
	r := policy.Rule{Source: source, Pull: policy.PullAny, Origin: "test/" + source + "#1", ConfTable: true}
	for _, m := range mirrors {
		r.Mirrors = append(r.Mirrors, policy.Mirror{Location: m})
	}
	return r
}

func always(r *policy.Rules) func() *policy.Rules { return func() *policy.Rules { return r } }

func newChain(t testing.TB, base provider.ReleaseProvider, rules *policy.Rules, layers ...chain.Layer) *chain.Chain {
	t.Helper()
	c, err := chain.New(base, always(rules), layers...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// endpoint is how a fake base answers for one repository; n counts from 0.
type endpoint func(ctx context.Context, req provider.Request, n int) error

// fakes is a base provider with an endpoint per repository; what is not there is
// unreachable. It records what it is asked.
type fakes struct {
	endpoints map[string]endpoint
	content   *provider.Release

	mu    sync.Mutex
	asked []provider.Request
}

func newFakes(t testing.TB, endpoints map[string]endpoint) *fakes {
	t.Helper()
	return &fakes{endpoints: endpoints, content: release(t, 3)}
}

// release returns one with n components.
func release(t testing.TB, n int) *provider.Release {
	t.Helper()
	d := provider.ReleaseData{Image: image, Version: "4.17.3", Digest: digest}
	for i := range n {
		d.Components = append(d.Components, provider.Component{
			Name:        fmt.Sprintf("component-%03d", i),
			Canonical:   imageref.MustParse(fmt.Sprintf("quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:%064x", i)),
			Annotations: map[string]string{"io.openshift.build.commit.id": fmt.Sprintf("%040x", i)},
		})
	}
	r, err := provider.NewRelease(d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (f *fakes) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	f.mu.Lock()
	n := 0
	for _, r := range f.asked {
		if r.Image.Name() == req.Image.Name() {
			n++
		}
	}
	f.asked = append(f.asked, req)
	e := f.endpoints[req.Image.Name()]
	f.mu.Unlock()
	if e == nil {
		e = fails(provider.ClassUnreachable)
	}
	connects(ctx)
	if err := e(ctx, req, n); err != nil {
		return nil, err
	}
	return f.content.WithAnswer(provider.Answer{Image: req.Image, PulledFrom: req.Image}), nil
}

// Open looks up the whole release: most tests are not about that.
func (f *fakes) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	return providertest.Base{ReleaseProvider: f}.Open(ctx, req, known)
}

// become changes how the endpoints answer.
func (f *fakes) become(endpoints map[string]endpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.endpoints = endpoints
}

// names returns the repositories asked, in order.
func (f *fakes) names() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for _, r := range f.asked {
		names = append(names, r.Image.Name())
	}
	return names
}

func answers(context.Context, provider.Request, int) error { return nil }

func fails(c provider.Class) endpoint {
	return func(_ context.Context, req provider.Request, _ int) error {
		return &provider.Error{Op: "reading the manifest", Ref: req.Image, Class: c}
	}
}

// failing fails so often, then answers.
func failing(times int, c provider.Class, retryAfter time.Duration) endpoint {
	return func(_ context.Context, req provider.Request, n int) error {
		if n < times {
			return &provider.Error{Op: "reading the manifest", Ref: req.Image, Class: c, RetryAfter: retryAfter}
		}
		return nil
	}
}

// hangs until its context ends.
func hangs(ctx context.Context, _ provider.Request, _ int) error {
	<-ctx.Done()
	return ctx.Err()
}

// takes answers after d.
func takes(d time.Duration) endpoint {
	return func(ctx context.Context, _ provider.Request, _ int) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// events records what an observer is told.
type events struct {
	mu  sync.Mutex
	all []chain.Event
}

func (e *events) Observe(_ context.Context, ev chain.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

func (e *events) kinds() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ks []string
	for _, ev := range e.all {
		ks = append(ks, ev.Kind.String())
	}
	return ks
}

// tried returns an answer's or an error's attempts: "repository" or "repository: class".
func tried(attempts []provider.Attempt) []string {
	var s []string
	for _, a := range attempts {
		if a.Err == nil {
			s = append(s, a.Ref.Name())
		} else {
			s = append(s, a.Ref.Name()+": "+provider.ClassOf(a.Err).String())
		}
	}
	return s
}

func wantList(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func mustParse(t testing.TB, s string) imageref.Ref {
	t.Helper()
	ref, err := imageref.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
