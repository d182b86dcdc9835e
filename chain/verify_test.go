package chain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/health"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// fakeVerifier is a verifier that refuses what some repositories serve.
type fakeVerifier struct {
	id      string
	refused []string // repositories
	final   bool
	warn    bool
	asked   atomic.Int32
}

func (j *fakeVerifier) ID() string { return j.id }

func (j *fakeVerifier) Verify(_ context.Context, req provider.Request, served provider.Served) (*provider.Signatures, error) {
	j.asked.Add(1)
	check := provider.SignatureCheck{Kind: provider.Sigstore, Signers: []provider.Signer{{Name: "the key", Identity: served.Image.String()}}}
	if slices.Contains(j.refused, req.Image.Name()) {
		check = provider.SignatureCheck{Kind: provider.Sigstore, Err: &provider.Error{Ref: req.Image, Class: provider.ClassSignature, Final: j.final}}
		if !j.warn {
			return nil, check.Err
		}
	}
	return &provider.Signatures{Verifier: j.id, Checks: []provider.SignatureCheck{check}}, nil
}

func verifying(v provider.Verifier) chain.Layer {
	return chain.Verify(chain.VerifyConfig{Current: func() provider.Verifier { return v }})
}

func TestVerifyRefusals(t *testing.T) {
	for _, tt := range []struct {
		name     string
		verifier *fakeVerifier
		tried    []string // with the answer, or with the error
		class    provider.Class
		seen     int // events of refusals
	}{
		{"good", &fakeVerifier{}, []string{mirrorA}, 0, 0},
		{"the next mirror", &fakeVerifier{refused: []string{mirrorA}}, []string{mirrorA + ": signature", mirrorB}, 0, 1},
		{"the source", &fakeVerifier{refused: []string{mirrorA, mirrorB}}, []string{mirrorA + ": signature", mirrorB + ": signature", source}, 0, 2},
		{"nobody", &fakeVerifier{refused: []string{mirrorA, mirrorB, source}}, []string{mirrorA + ": signature", mirrorB + ": signature", source + ": signature"}, provider.ClassSignature, 3},
		{"final", &fakeVerifier{refused: []string{mirrorA}, final: true}, []string{mirrorA + ": signature"}, provider.ClassSignature, 1},
		{"final at the source", &fakeVerifier{refused: []string{source}, final: true}, []string{mirrorA}, 0, 0},
		{"warned of", &fakeVerifier{refused: []string{mirrorA}, warn: true}, []string{mirrorA}, 0, 1},
	} {
		for _, ref := range []imageref.Ref{image, tagged} {
			t.Run(tt.name+" "+ref.Tag(), func(t *testing.T) {
				seen := new(events)
				base := newFakes(t, map[string]endpoint{mirrorA: answers, mirrorB: answers, source: answers})
				j := &fakeVerifier{id: "one", refused: tt.verifier.refused, final: tt.verifier.final, warn: tt.verifier.warn}
				hosts := health.New(health.Config{})
				c := newChain(t, base, newRules(t, mirrored(source, mirrorA, mirrorB)), chain.Observe(chain.ObserveConfig{Observers: []chain.Observer{seen}}),
					verifying(j), chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{Health: hosts}), chain.Store(chain.StoreConfig{}))
				r, err := c.Lookup(t.Context(), provider.Request{Image: ref})
				if provider.ClassOf(err) != tt.class {
					t.Fatalf("got %v", err)
				}
				var attempts []provider.Attempt
				if e, ok := errors.AsType[*chain.Error](err); ok {
					attempts = e.Attempts
					if !errors.Is(err, provider.ErrSignature) {
						t.Errorf("%v is no ErrSignature", err)
					}
				} else {
					attempts = slices.Collect(r.Attempts())
					s := r.Signatures()
					if s == nil || s.Verifier != "one" || len(s.Checks) != 1 || (s.Err() != nil) != j.warn {
						t.Errorf("the release says %+v", s)
					}
				}
				wantList(t, "attempts", tried(attempts), tt.tried...)
				n := 0
				for _, kind := range seen.kinds() {
					if kind == chain.SignatureRefused.String() {
						n++
					}
				}
				if n != tt.seen {
					t.Errorf("%d refusals were reported, want %d", n, tt.seen)
				}
				for _, h := range hosts.Hosts() {
					if h.State != health.Healthy {
						t.Errorf("%s is %s: it answered", h.Name, h.State)
					}
				}
				asked, judged := len(base.names()), j.asked.Load()
				if _, second := c.Lookup(t.Context(), provider.Request{Image: ref}); (second == nil) != (err == nil) {
					t.Errorf("again: %v", second)
				}
				if len(base.names()) != asked || j.asked.Load() != judged {
					t.Errorf("a warm lookup asks %d endpoints, and %d times for a verdict", len(base.names())-asked, j.asked.Load()-judged)
				}
			})
		}
	}
}

// An answer of one verifier is never that of another, whichever comes first, and a caller
// may bring its own.
func TestVerifyChange(t *testing.T) {
	strict, lax := &fakeVerifier{id: "strict", refused: []string{source}}, &fakeVerifier{id: "lax"}
	var current atomic.Pointer[fakeVerifier]
	c := newChain(t, newFakes(t, map[string]endpoint{source: answers}), newRules(t),
		chain.Verify(chain.VerifyConfig{Current: func() provider.Verifier {
			if j := current.Load(); j != nil {
				return j
			}
			return nil
		}}),
		chain.Cache(chain.CacheConfig{}), chain.Mirrors(chain.MirrorsConfig{}), chain.Store(chain.StoreConfig{}))
	want := func(j *fakeVerifier, own provider.Verifier, by string) {
		t.Helper()
		current.Store(j)
		r, err := c.Lookup(t.Context(), provider.Request{Image: image, Verifier: own})
		switch {
		case j == nil && own == nil:
			if !errors.Is(err, provider.ErrNoVerifier) {
				t.Errorf("without a verifier: %v", err)
			}
		case by == "" && !errors.Is(err, provider.ErrSignature), by != "" && (err != nil || r.Signatures().Verifier != by):
			t.Errorf("got %v, %v, want %q", r, err, by)
		}
	}
	want(nil, nil, "")
	want(lax, nil, "lax")
	want(strict, nil, "")
	want(lax, nil, "lax")
	want(lax, strict, "")
	want(strict, lax, "lax")
	want(nil, lax, "lax")
}

// A chain in which nobody judges serves nothing.
func TestVerifyNeedsMirrors(t *testing.T) {
	base := newFakes(t, map[string]endpoint{source: answers})
	c := newChain(t, base, newRules(t), verifying(&fakeVerifier{id: "one"}), chain.Store(chain.StoreConfig{}))
	if _, err := c.Lookup(t.Context(), provider.Request{Image: image}); !errors.Is(err, provider.ErrSignature) {
		t.Errorf("got %v", err)
	}
	none := provider.ReleaseFunc(base.Lookup)
	if _, err := chain.New(none, always(newRules(t)), chain.Verify(chain.VerifyConfig{})); err == nil {
		t.Error("a layer without a function is no error")
	}
	if _, err := chain.New(none, always(newRules(t)), chain.Cache(chain.CacheConfig{}), verifying(&fakeVerifier{})); err == nil {
		t.Error("verify below cache is no error")
	}
}

// A mirror that is silent while its signature is read is given up like any other, and a
// final refusal ends the attempts that are under way.
func TestVerifyHedges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(letEnd)
		base := newFakes(t, map[string]endpoint{mirrorA: hangs, mirrorB: begins(20*ms, takes(20*ms)), source: answers})
		c := newChain(t, base, newRules(t, mirrored(source, mirrorA, mirrorB)), verifying(&fakeVerifier{id: "one", refused: []string{mirrorB}, final: true}), chain.Mirrors(chain.MirrorsConfig{}))
		start := time.Now()
		_, err := c.Lookup(t.Context(), provider.Request{Image: image})
		e, ok := errors.AsType[*chain.Error](err)
		if !ok || time.Since(start) > time.Second {
			t.Fatalf("got %v after %v", err, time.Since(start))
		}
		wantList(t, "attempts", tried(e.Attempts), mirrorB+": signature")
	})
}

// Images are judged too, by their own digest.
func TestVerifyImages(t *testing.T) {
	var asked []string
	base := provider.ImageFunc(func(_ context.Context, req provider.Request) (provider.Image, error) {
		asked = append(asked, req.Image.Name())
		return &fakeImage{from: req.Image, digest: digest}, nil
	})
	images, err := chain.Images(base, always(newRules(t, mirrored(source, mirrorA, mirrorB))), chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		verifier *fakeVerifier
		want     error
		asked    []string
	}{
		{&fakeVerifier{id: "one"}, nil, []string{mirrorA}},
		{&fakeVerifier{id: "one", refused: []string{mirrorA}}, nil, []string{mirrorA, mirrorB}},
		{&fakeVerifier{id: "one", refused: []string{mirrorA}, final: true}, provider.ErrSignature, []string{mirrorA}},
		{nil, provider.ErrNoVerifier, nil},
	} {
		verified, err := chain.VerifyImages(images, func() provider.Verifier {
			if tt.verifier == nil {
				return nil
			}
			return tt.verifier
		})
		if err != nil {
			t.Fatal(err)
		}
		asked = nil
		if _, err = verified.Image(t.Context(), provider.Request{Image: image}); !errors.Is(err, tt.want) || err != nil && tt.want == nil {
			t.Errorf("%+v: got %v", tt.verifier, err)
		}
		wantList(t, fmt.Sprintf("%+v asked", tt.verifier), asked, tt.asked...)
	}
	if _, err := chain.VerifyImages(base, func() provider.Verifier { return nil }); err == nil {
		t.Error("images that nobody judges are no error")
	}
}

// The answer of an earlier process has its verdict, and is none for another verifier.
func TestVerifyRestored(t *testing.T) {
	s := newSite(t, smallRelease(3))
	dir := t.TempDir()
	lookup(t, s.process(t, dir, newRules(t), expired), s.request(s.tag))
	s.source.Down()
	next := s.process(t, dir, newRules(t), expired)
	r := lookup(t, next, s.request(s.tag))
	if !r.Stale() || r.Signatures().Verifier != "all" || r.Signatures().String() != "sigstore signed by the key as "+s.tag.String() {
		t.Errorf("stale %v, signatures %+v", r.Stale(), r.Signatures())
	}
	req := s.request(s.tag)
	req.Verifier = &fakeVerifier{id: "other"}
	if r, err := next.Lookup(t.Context(), req); !errors.Is(err, provider.ErrUnreachable) {
		t.Errorf("with another verifier: %v, %v", r, err)
	}
}
