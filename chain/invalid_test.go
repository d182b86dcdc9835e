package chain_test

import (
	"context"
	"errors"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// A request that is wrong itself reaches nobody.
func TestInvalidRequests(t *testing.T) {
	rules := newRules(t, mirrored(source, mirrorA))
	base := newFakes(t, nil)
	c := newChain(t, base, rules, chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}))
	images, err := chain.Images(provider.ImageFunc(func(_ context.Context, req provider.Request) (provider.Image, error) {
		t.Errorf("%+v reached the base", req)
		return nil, errors.New("reached")
	}), always(rules), chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		req  provider.Request
		want error
	}{
		{provider.Request{}, policy.ErrNoImage},
		{provider.Request{Image: image, Platform: provider.Platform{OS: "linux/amd64"}}, provider.ErrInvalidPlatform},
	} {
		_, lookup := c.Lookup(t.Context(), tt.req)
		_, image := images.Image(t.Context(), tt.req)
		for _, err := range []error{lookup, image} {
			if !errors.Is(err, tt.want) || provider.ClassOf(err) != provider.ClassInvalid {
				t.Errorf("%v; want %v", err, tt.want)
			}
		}
	}
	wantList(t, "asked", base.names())
}

// What a base calls the caller's mistake ends the search: no other endpoint is
// asked, none again, and the error is not one of endpoints that did not answer, nor
// one to remember.
func TestMistakesEndTheSearch(t *testing.T) {
	mistake := errors.New("md5 is no digest")
	invalid := func(_ context.Context, req provider.Request, _ int) error {
		return &provider.Error{Ref: req.Image, Class: provider.ClassInvalid, Err: mistake}
	}
	check := func(t *testing.T, err error) {
		t.Helper()
		if !errors.Is(err, mistake) || !errors.Is(err, provider.ErrInvalidRequest) {
			t.Errorf("%v; want the mistake", err)
		}
		if e, ok := errors.AsType[*chain.Error](err); ok {
			t.Errorf("%v is told as endpoints that did not answer", e)
		}
	}
	rules := newRules(t, mirrored(source, mirrorA, mirrorB))
	base := newFakes(t, map[string]endpoint{mirrorA: fails(provider.ClassServer), mirrorB: invalid, source: answers})
	var seen events
	c := newChain(t, base, rules,
		chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&seen}}),
		chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}))
	for range 2 {
		_, err := c.Lookup(t.Context(), provider.Request{Image: image})
		check(t, err)
	}
	wantList(t, "asked", base.names(), mirrorA, mirrorB, mirrorA, mirrorB)
	for _, e := range seen.all {
		if e.Kind == chain.AttemptDone && e.Ref.Name() == mirrorB {
			t.Errorf("told as an attempt: %+v", e)
		}
	}

	var opened []string
	images, err := chain.Images(provider.ImageFunc(func(_ context.Context, req provider.Request) (provider.Image, error) {
		opened = append(opened, req.Image.Name())
		if req.Image.Name() == mirrorA {
			return nil, &provider.Error{Class: provider.ClassServer}
		}
		return &fakeImage{from: req.Image, digest: digest, err: invalid(nil, req, 0)}, nil
	}), always(rules), chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := images.Image(t.Context(), provider.Request{Image: image})
	if err != nil {
		t.Fatal(err)
	}
	_, err = img.Config(t.Context())
	check(t, err)
	_, err = img.Files(t.Context(), "etc/os-release")
	check(t, err)
	wantList(t, "opened", opened, mirrorA, mirrorB)
}

// The class of a whole failed lookup does not depend on who was asked first.
func TestErrorClass(t *testing.T) {
	// In the order in which the command line's exit codes win over each other.
	groups := [][]provider.Class{
		{provider.ClassDigest},
		{provider.ClassUnauthorized},
		{provider.ClassTLS},
		{provider.ClassUnreachable, provider.ClassTimeout, provider.ClassServer, provider.ClassThrottled},
		{provider.ClassNotFound},
		{provider.ClassLimit, provider.ClassMalformed, provider.ClassUnknown},
		{provider.ClassForbidden},
	}
	for i, more := range groups {
		for _, a := range more {
			for _, b := range more { // of one group the first counts
				wantClass(t, a, a, b)
			}
			for _, less := range groups[i+1:] {
				for _, b := range less {
					wantClass(t, a, a, b)
					wantClass(t, a, b, a)
					wantClass(t, a, b, a, b)
				}
			}
		}
	}
}

func wantClass(t *testing.T, want provider.Class, tried ...provider.Class) {
	t.Helper()
	e := &chain.Error{Image: image}
	for _, c := range tried {
		e.Attempts = append(e.Attempts, provider.Attempt{Ref: mustParse(t, mirrorA+"@"+image.Digest()), Err: &provider.Error{Class: c}})
	}
	if got := provider.ClassOf(errors.Join(errors.New("x"), e)); e.Class() != want || got != want {
		t.Errorf("%v: class %s, and %s by ClassOf; want %s", tried, e.Class(), got, want)
	}
}

// A source that policy blocks counts only beside nothing else, one that is away does
// not count where the mirrors say that they have no such image, an attempt that was
// lost on the way to a success does not count, and the caller's end does.
func TestErrorClassOfLookups(t *testing.T) {
	never := mirrored(source, mirrorA)
	never.NeverContactSource = true
	lookup := func(ctx context.Context, rule policy.Rule, endpoints map[string]endpoint) provider.Class {
		base := newFakes(t, endpoints)
		_, err := newChain(t, base, newRules(t, rule), chain.Mirrors(chain.MirrorsConfig{Retries: -1})).Lookup(ctx, provider.Request{Image: image})
		return provider.ClassOf(err)
	}
	for _, c := range []provider.Class{provider.ClassNotFound, provider.ClassUnauthorized, provider.ClassTLS, provider.ClassTimeout, provider.ClassMalformed} {
		if got := lookup(t.Context(), never, map[string]endpoint{mirrorA: fails(c)}); got != c {
			t.Errorf("%s with a source that is never contacted: %s", c, got)
		}
	}
	two := mirrored(source, mirrorA)
	for _, c := range []struct{ mirror, source, want provider.Class }{
		{provider.ClassNotFound, provider.ClassUnreachable, provider.ClassNotFound},
		{provider.ClassNotFound, provider.ClassTimeout, provider.ClassNotFound},
		{provider.ClassNotFound, provider.ClassServer, provider.ClassServer},
		{provider.ClassNotFound, provider.ClassTLS, provider.ClassTLS},
		{provider.ClassServer, provider.ClassUnreachable, provider.ClassServer},
		{provider.ClassMalformed, provider.ClassUnreachable, provider.ClassUnreachable},
		{provider.ClassUnreachable, provider.ClassNotFound, provider.ClassUnreachable},
	} {
		if got := lookup(t.Context(), two, map[string]endpoint{mirrorA: fails(c.mirror), source: fails(c.source)}); got != c.want {
			t.Errorf("%s, then %s at the source: %s, want %s", c.mirror, c.source, got, c.want)
		}
	}
	if got := lookup(t.Context(), two, map[string]endpoint{mirrorA: fails(provider.ClassNotFound), source: fails(provider.ClassUnauthorized)}); got != provider.ClassUnauthorized {
		t.Errorf("404, then 401: %s", got)
	}
	for cause, want := range map[error]provider.Class{context.Canceled: provider.ClassCanceled, context.DeadlineExceeded: provider.ClassTimeout} {
		for first, with := range map[provider.Class]provider.Class{provider.ClassNotFound: want, provider.ClassDigest: provider.ClassDigest} {
			if cause == context.Canceled {
				with = provider.ClassCanceled
			}
			ctx := &ending{Context: t.Context(), done: make(chan struct{})}
			got := lookup(ctx, two, map[string]endpoint{mirrorA: fails(first), source: func(context.Context, provider.Request, int) error {
				ctx.end(cause)
				return cause
			}})
			if got != with {
				t.Errorf("%s, then %v: %s, want %s", first, cause, got, with)
			}
		}
	}
}

// ending is a context that ends when it is told to.
type ending struct {
	context.Context
	done chan struct{}
	err  error
}

func (e *ending) end(err error)         { e.err = err; close(e.done) }
func (e *ending) Done() <-chan struct{} { return e.done }
func (e *ending) Err() error {
	select {
	case <-e.done:
		return e.err
	default:
		return nil
	}
}

// A chain that New did not make says so.
func TestZeroChain(t *testing.T) {
	for _, c := range []*chain.Chain{nil, {}} {
		if _, err := c.Lookup(t.Context(), provider.Request{Image: image}); err == nil || c.String() != "" {
			t.Errorf("%q: %v", c, err)
		}
	}
}

// A zero Error is of use to nobody, and does not panic.
func TestZeroError(t *testing.T) {
	var e chain.Error
	if e.Error() == "" || e.Unwrap() != nil || e.Class() != provider.ClassUnknown || errors.Is(&e, provider.ErrNotFound) {
		t.Errorf("%v", &e)
	}
}
