package chain_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// The one that reads for all may fail for reasons of its own.
func TestStoreLeaderFails(t *testing.T) {
	for name, tt := range map[string]struct {
		err   error
		ok    int // callers that get the release
		reads int
	}{
		"its credential":     {&provider.Error{Class: provider.ClassUnauthorized}, 9, 10},
		"what it may see":    {&provider.Error{Class: provider.ClassNotFound}, 9, 10},
		"its account's rate": {&provider.Error{Class: provider.ClassThrottled}, 9, 10},
		"the network":        {&provider.Error{Class: provider.ClassUnreachable}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				base := &opener{open: byDigest}
				var once sync.Once
				base.read = func(context.Context, provider.Request) (err error) {
					time.Sleep(time.Second)
					once.Do(func() { err = tt.err })
					return err
				}
				s := storeOver(t, base, chain.StoreConfig{})
				ok := make(chan bool, 10)
				for i := range 10 {
					go func() {
						_, err := s.Lookup(t.Context(), provider.Request{Image: image, Credentials: tenant(t, "quay.io", fmt.Sprint(i))})
						ok <- err == nil
					}()
				}
				n := 0
				for range 10 {
					if <-ok {
						n++
					}
				}
				if n != tt.ok {
					t.Errorf("%d callers got the release; want %d", n, tt.ok)
				}
				base.want(t, "ten callers", 10, tt.reads)
			})
		})
	}
}

// Those who have the credential that failed have been answered, once for all; those who
// have another, or none, try that once.
func TestStoreLeaderFailsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := tenant(t, "quay.io", "one")
		base := &opener{open: byDigest, read: func(_ context.Context, req provider.Request) error {
			time.Sleep(time.Second)
			return &provider.Error{Class: provider.ClassNotFound}
		}}
		s := storeOver(t, base, chain.StoreConfig{})
		var wg sync.WaitGroup
		for i := range 12 {
			req := provider.Request{Image: image, Credentials: one}
			if i >= 6 {
				req.Credentials = provider.Credentials{}
			}
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond) // with its credential the first one reads
				if _, err := s.Lookup(t.Context(), req); !errors.Is(err, provider.ErrNotFound) {
					t.Errorf("%v; want ErrNotFound", err)
				}
			})
		}
		wg.Wait()
		base.want(t, "six with a credential, six without", 12, 2)
	})
}

// An endpoint that hangs over a content does not hold up those with a better one,
// nor the next attempt of the same lookup.
func TestStoreHangingEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		base := &opener{open: byDigest, read: func(ctx context.Context, req provider.Request) error {
			if req.Image.Name() != mirrorA {
				return nil
			}
			<-ctx.Done()
			ended++
			return ctx.Err()
		}}
		c := newChain(t, base, newRules(t, mirrored(source, mirrorA, mirrorB)),
			chain.Mirrors(chain.MirrorsConfig{}), chain.Store(chain.StoreConfig{}))
		start := time.Now()
		r := lookup(t, c, provider.Request{Image: image})
		wantList(t, "attempts", tried(slices.Collect(r.Attempts())), mirrorA+": timeout", mirrorB)
		if got := time.Since(start); got != 300*time.Millisecond {
			t.Errorf("it took %s; want what a mirror may be silent", got)
		}
		synctest.Wait()
		if ended != 1 {
			t.Error("the reading that nobody waits for goes on")
		}
	})
}

func TestStoreWrongContent(t *testing.T) {
	base := &opener{}
	base.open = func(context.Context, provider.Request) (string, provider.Platform, error) {
		return digest, provider.Platform{}, nil
	}
	liar := &liar{base}
	s := storeOver(t, liar, chain.StoreConfig{})
	for range 2 {
		if _, err := s.Lookup(t.Context(), provider.Request{Image: image}); !errors.Is(err, provider.ErrDigest) {
			t.Errorf("Lookup: %v; want ErrDigest", err)
		}
	}
	base.want(t, "twice", 2, 2)
}

// liar reads another release than it opened.
type liar struct{ *opener }

func (l *liar) Open(ctx context.Context, req provider.Request, _ string) (provider.Opened, error) {
	o, err := l.opener.Open(ctx, req, "")
	if err != nil {
		return nil, err
	}
	return &lying{o}, nil
}

type lying struct{ provider.Opened }

func (l *lying) Release(ctx context.Context) (*provider.Release, error) {
	r, err := l.Opened.Release(ctx)
	if err != nil {
		return nil, err
	}
	return r.With(func(d *provider.ReleaseData) { d.Digest = "sha256:" + strings.Repeat("b", 64) }), nil
}
