package chain_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

func mirrorsOver(t *testing.T, base provider.ReleaseProvider, rules ...policy.Rule) *chain.Chain {
	t.Helper()
	if rules == nil {
		rules = []policy.Rule{mirrored(source, mirrorA, mirrorB)}
	}
	return newChain(t, base, newRules(t, rules...), chain.Mirrors(chain.MirrorsConfig{}))
}

// What replaces the source is where a policy put it.
func TestMirrorsByPolicy(t *testing.T) {
	base := newFakes(t, map[string]endpoint{mirrorA: answers})
	rewrite := policy.Rule{Kind: policy.KindRewrite, Source: source, Pull: policy.PullAny, Mirrors: []policy.Mirror{{Location: mirrorA}}}
	if _, err := mirrorsOver(t, base, rewrite).Lookup(t.Context(), provider.Request{Image: image}); err != nil {
		t.Fatal(err)
	}
	for _, got := range base.asked {
		if got.Image.Name() != mirrorA || !got.ByPolicy {
			t.Errorf("%s: by policy %t", got.Image, got.ByPolicy)
		}
	}
}

// What only a tenant names is not where a policy put it.
func TestMirrorsByTenant(t *testing.T) {
	rule := mirrored(source, mirrorA, mirrorB)
	rule.Mirrors[0].ByTenant = true
	base := newFakes(t, map[string]endpoint{source: answers})
	if _, err := mirrorsOver(t, base, rule).Lookup(t.Context(), provider.Request{Image: image}); err != nil {
		t.Fatal(err)
	}
	wantList(t, "asked", base.names(), mirrorA, mirrorB, source)
	for i, want := range []bool{false, true, false} {
		if got := base.asked[i]; got.ByPolicy != want {
			t.Errorf("%s: by policy %t, want %t", got.Image, got.ByPolicy, want)
		}
	}
}

// R1 to R5: whatever goes wrong with one endpoint leads to the next.
func TestMirrorsMovesOn(t *testing.T) {
	for c := provider.ClassUnknown; c < provider.ClassCanceled; c++ {
		t.Run(c.String(), func(t *testing.T) {
			base := newFakes(t, map[string]endpoint{mirrorA: fails(c), mirrorB: answers})
			r, err := mirrorsOver(t, base).Lookup(t.Context(), provider.Request{Image: image})
			if err != nil {
				t.Fatal(err)
			}
			wantList(t, "asked", base.names(), mirrorA, mirrorB)
			wantList(t, "attempts", tried(slices.Collect(r.Attempts())), mirrorA+": "+c.String(), mirrorB)
			if r.Image() != image || r.PulledFrom().Name() != mirrorB || r.Stale() {
				t.Errorf("image %s, pulled from %s, stale %v", r.Image(), r.PulledFrom(), r.Stale())
			}
		})
	}
}

func TestMirrorsPassesTheEndpoint(t *testing.T) {
	rule := mirrored(source, mirrorA, mirrorB)
	rule.Mirrors[1].Insecure = true
	base := newFakes(t, map[string]endpoint{source: answers})
	creds, err := provider.NewCredentials(map[string]provider.Credential{"a.example": provider.NewCredential("u", "p")})
	if err != nil {
		t.Fatal(err)
	}
	req := provider.Request{Image: image, Credentials: creds, Platform: provider.Platform{Architecture: "arm64"}, Insecure: true, ByPolicy: true}
	if _, err := mirrorsOver(t, base, rule).Lookup(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	wantList(t, "asked", base.names(), mirrorA, mirrorB, source)
	for i, insecure := range []bool{false, true, false} {
		got := base.asked[i]
		if byPolicy := i < 2; got.ByPolicy != byPolicy {
			t.Errorf("%s: by policy %t, want %t", got.Image, got.ByPolicy, byPolicy)
		}
		if got.Insecure != insecure || got.Credentials.ID() != creds.ID() || got.Platform != req.Platform || got.Image.Digest() != digest {
			t.Errorf("request %d: %+v; want insecure %v and the rest as asked", i, got, insecure)
		}
	}
}

func TestMirrorsFails(t *testing.T) {
	base := newFakes(t, map[string]endpoint{mirrorA: fails(provider.ClassNotFound), mirrorB: fails(provider.ClassTLS), source: fails(provider.ClassUnauthorized)})
	c := mirrorsOver(t, base)
	_, err := c.Lookup(t.Context(), provider.Request{Image: image})
	e, ok := errors.AsType[*chain.Error](err)
	if !ok {
		t.Fatalf("Lookup: %v; want a *chain.Error", err)
	}
	wantList(t, "attempts", tried(e.Attempts), mirrorA+": not-found", mirrorB+": tls", source+": unauthorized")
	for _, want := range []error{provider.ErrNotFound, provider.ErrTLS, provider.ErrUnauthorized} {
		if !errors.Is(err, want) {
			t.Errorf("errors.Is does not reach %v", want)
		}
	}
	for i, attempt := range e.Unwrap() {
		if i >= len(e.Attempts) || !errors.Is(attempt, e.Attempts[i].Err) || !strings.Contains(attempt.Error(), e.Attempts[i].Ref.String()) {
			t.Errorf("error %d is %v; want that of the attempt, with its endpoint", i, attempt)
		}
	}
	if n := len(e.Unwrap()); n != 3 {
		t.Errorf("%d errors; want one for each attempt", n)
	}
	if e.Image != image || e.Rules == "" {
		t.Errorf("Image %s, Rules %q", e.Image, e.Rules)
	}
	for _, want := range []string{mirrorA, mirrorB, source, "not found", "TLS failure", "unauthorized", "reading the manifest"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the text lacks %q: %v", want, err)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\t") || strings.Count(err.Error(), mirrorA) != 1 {
		t.Errorf("not one line that names each endpoint once: %v", err)
	}
}

// R12: what policy forbids is not asked, and the error says so.
func TestMirrorsNeverContactsTheSource(t *testing.T) {
	never := mirrored(source, mirrorA)
	never.NeverContactSource = true
	base := newFakes(t, map[string]endpoint{mirrorA: fails(provider.ClassUnreachable), source: answers})
	for _, ref := range []string{image.String(), tagged.String()} {
		base.asked = nil
		req := provider.Request{Image: mustParse(t, ref)}
		_, err := mirrorsOver(t, base, never).Lookup(t.Context(), req)
		e, ok := errors.AsType[*chain.Error](err)
		if !ok || !errors.Is(err, provider.ErrForbidden) || !errors.Is(err, provider.ErrUnreachable) {
			t.Fatalf("%s: %v; want unreachable and forbidden", ref, err)
		}
		wantList(t, "attempts", tried(e.Attempts), mirrorA+": unreachable", source+": forbidden")
		wantList(t, "asked", base.names(), mirrorA)
	}

	// A tag with nothing but digest mirrors: nothing is left to ask.
	never.Pull = policy.PullDigest
	base.asked = nil
	_, err := mirrorsOver(t, base, never).Lookup(t.Context(), provider.Request{Image: tagged})
	if !errors.Is(err, provider.ErrForbidden) || provider.ClassOf(err) != provider.ClassForbidden {
		t.Errorf("Lookup: %v; want ErrForbidden", err)
	}
	wantList(t, "asked", base.names())
}

func TestMirrorsUnparsableCandidate(t *testing.T) {
	base := newFakes(t, map[string]endpoint{source: answers})
	_, err := mirrorsOver(t, base, mirrored("quay.io", "nodots")).Lookup(t.Context(), provider.Request{Image: image})
	if err == nil || !strings.Contains(err.Error(), image.String()) {
		t.Errorf("Lookup: %v; want an error that names the image", err)
	}
	wantList(t, "asked", base.names())
}

// No endpoint uses up the time of those behind it.
func TestMirrorsSharesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: hangs, source: takes(2900 * time.Millisecond)})
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
		defer cancel()
		r, err := mirrorsOver(t, base).Lookup(ctx, provider.Request{Image: tagged})
		if err != nil {
			t.Fatal(err)
		}
		wantList(t, "attempts", tried(slices.Collect(r.Attempts())), mirrorA+": timeout", mirrorB+": timeout", source)
		for a := range r.Attempts() {
			if a.Err != nil && a.Took != 3*time.Second {
				t.Errorf("%s had %s; want a third of the time", a.Ref, a.Took)
			}
		}
	})
}

func TestMirrorsLimitsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base := newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: hangs, source: hangs})
		start := time.Now()
		_, err := mirrorsOver(t, base).Lookup(t.Context(), provider.Request{Image: tagged})
		if !errors.Is(err, provider.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lookup: %v; want our own time limit, not to be mistaken for the caller's", err)
		}
		if got := time.Since(start); got != 3*time.Minute {
			t.Errorf("three endpoints took %s; want 60 s each and no retry", got)
		}
	})
}

// The caller's own end is no endpoint's failure.
func TestMirrorsCallerEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(context.Context) (context.Context, context.CancelFunc)
		want error
		not  error
	}{
		"canceled": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second, cancel)
			return ctx, cancel
		}, context.Canceled, context.DeadlineExceeded},
		"deadline": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second)
		}, context.DeadlineExceeded, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := newFakes(t, map[string]endpoint{mirrorA: fails(provider.ClassNotFound), source: hangs})
				c := mirrorsOver(t, base, mirrored(source, mirrorA))
				ctx, cancel := tt.end(t.Context())
				defer cancel()
				start := time.Now()
				_, err := c.Lookup(ctx, provider.Request{Image: image})
				if !errors.Is(err, tt.want) || errors.Is(err, tt.not) || time.Since(start) != time.Second {
					t.Errorf("Lookup: %v after %s; want %v after 1 s", err, time.Since(start), tt.want)
				}
				e, ok := errors.AsType[*chain.Error](err)
				if !ok {
					t.Fatalf("Lookup: %T; want a *chain.Error", err)
				}
				wantList(t, "attempts", tried(e.Attempts), mirrorA+": not-found")
				if !strings.Contains(err.Error(), source+"@"+digest+": context") {
					t.Errorf("the text does not say who was being asked: %v", err)
				}
				if c := provider.ClassOf(err); c == provider.ClassNotFound {
					t.Error("the class of the whole is that of one attempt")
				}
			})
		})
	}
}

func TestMirrorsCanceledBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	base := newFakes(t, map[string]endpoint{mirrorA: answers})
	if _, err := mirrorsOver(t, base).Lookup(ctx, provider.Request{Image: image}); !errors.Is(err, context.Canceled) {
		t.Errorf("Lookup: %v; want context.Canceled", err)
	}
	wantList(t, "asked", base.names())
}

func TestMirrorsRetries(t *testing.T) {
	for name, tt := range map[string]struct {
		endpoints map[string]endpoint
		timeout   time.Duration
		want      []string // asked
		err       error
		least     time.Duration // that the answer takes
	}{
		"server error passes": {
			endpoints: map[string]endpoint{mirrorA: failing(2, provider.ClassServer, 0), mirrorB: fails(provider.ClassNotFound)},
			want:      []string{mirrorA, mirrorB, source, mirrorA, mirrorA},
			least:     300 * time.Millisecond, // half of 200 and of 400 is random
		},
		"retry-after": {
			endpoints: map[string]endpoint{mirrorA: failing(1, provider.ClassThrottled, 20*time.Second)},
			want:      []string{mirrorA, mirrorB, source, mirrorA},
			least:     20 * time.Second,
		},
		"each its own retry-after": {
			endpoints: map[string]endpoint{
				mirrorA: failing(1, provider.ClassThrottled, 20*time.Second),
				mirrorB: failing(9, provider.ClassThrottled, 5*time.Second),
			},
			want:  []string{mirrorA, mirrorB, source, mirrorB, mirrorB, mirrorB, mirrorA},
			least: 20 * time.Second,
		},
		"too long a wait asked for": {
			endpoints: map[string]endpoint{mirrorA: failing(1, provider.ClassThrottled, 31*time.Second)},
			want:      []string{mirrorA, mirrorB, source},
			err:       provider.ErrThrottled,
		},
		"no time for it": {
			endpoints: map[string]endpoint{mirrorA: failing(1, provider.ClassThrottled, 20*time.Second)},
			timeout:   15 * time.Second,
			want:      []string{mirrorA, mirrorB, source},
			err:       provider.ErrThrottled,
		},
		"three times": {
			endpoints: map[string]endpoint{source: fails(provider.ClassServer)},
			want:      []string{mirrorA, mirrorB, source, source, source, source},
			least:     700 * time.Millisecond,
			err:       provider.ErrServer,
		},
		"nothing that recovers": {
			endpoints: map[string]endpoint{mirrorA: fails(provider.ClassUnauthorized), mirrorB: fails(provider.ClassDigest)},
			want:      []string{mirrorA, mirrorB, source},
			err:       provider.ErrDigest,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if tt.timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.timeout)
					defer cancel()
				}
				base, start := newFakes(t, tt.endpoints), time.Now()
				_, err := mirrorsOver(t, base).Lookup(ctx, provider.Request{Image: image})
				if !errors.Is(err, tt.err) || errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Lookup: %v; want %v", err, tt.err)
				}
				wantList(t, "asked", base.names(), tt.want...)
				if got := time.Since(start); got < tt.least || tt.least == 0 && got != 0 {
					t.Errorf("it took %s; want at least %s, and nothing if that is nothing", got, tt.least)
				}
			})
		})
	}
}

func TestMirrorsReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen events
		base := newFakes(t, map[string]endpoint{mirrorA: fails(provider.ClassNotFound), source: failing(1, provider.ClassServer, 0)})
		c := newChain(t, base, newRules(t, mirrored(source, mirrorA)),
			chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{&seen}}), chain.Mirrors(chain.MirrorsConfig{}))
		if _, err := c.Lookup(t.Context(), provider.Request{Image: image}); err != nil {
			t.Fatal(err)
		}
		wantList(t, "events", seen.kinds(),
			"lookup-started", "attempt-done", "attempt-done", "retry-waiting", "attempt-done", "lookup-done")
		for _, e := range seen.all {
			if e.Image != image || e.Rules == "" {
				t.Errorf("%s: image %s, rules %q", e.Kind, e.Image, e.Rules)
			}
		}
	})
}
