package chain_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
)

// memo is a [chain.StateStore] in memory: a disk that survives what happens to processes.
type memo struct {
	mu   sync.Mutex
	all  map[string][]byte
	puts int
}

func (m *memo) Get(key string) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, ok := m.all[key]
	return v, ok
}

func (m *memo) Put(key string, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = make(map[string][]byte)
	}
	m.all[key] = slices.Clone(value)
	m.puts++
}

func (m *memo) Delete(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, key)
}

// keeper is an opener that can also ask whether a reference is as it was, and that
// keeps, like a disk, what it read.
type keeper struct {
	opener
	kept     map[string]bool // by digest
	asks     int             // answered: as it was
	restored int
}

func (k *keeper) Open(ctx context.Context, req provider.Request, known string) (provider.Opened, error) {
	if known != "" {
		d, _, err := k.open(ctx, req)
		if err == nil && d == known {
			k.asks++
			return nil, nil
		}
	}
	o, err := k.opener.Open(ctx, req, "")
	if err == nil {
		if k.kept == nil {
			k.kept = make(map[string]bool)
		}
		k.kept[o.Digest()] = true
	}
	return o, err
}

func (k *keeper) Restore(_ context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	if !k.kept[digest] {
		return nil, &provider.Error{Class: provider.ClassNotFound}
	}
	k.restored++
	return provider.NewRelease(provider.ReleaseData{Image: req.Image, Version: "4.17.3", Digest: digest, Platform: platform})
}

func (k *keeper) wantAsks(t *testing.T, what string, opens, reads, asks, restored int) {
	t.Helper()
	k.want(t, what, opens, reads)
	if k.asks != asks || k.restored != restored {
		t.Errorf("%s: %d asked whether it is as it was, %d restored; want %d, %d", what, k.asks, k.restored, asks, restored)
	}
}

// For a tag that did not move, and a grant that expired, the answer has no body.
func TestStoreOpensKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now, other := digest, "sha256:"+strings.Repeat("b", 64)
		base := &keeper{opener: opener{open: func(_ context.Context, req provider.Request) (string, provider.Platform, error) {
			if d := req.Image.Digest(); d != "" {
				return d, provider.Platform{}, nil
			}
			return now, provider.Platform{}, nil
		}}}
		s := storeOver(t, base, chain.StoreConfig{})
		lookup(t, s, provider.Request{Image: tagged})
		base.wantAsks(t, "first", 1, 1, 0, 0)
		lookup(t, s, provider.Request{Image: tagged})
		base.wantAsks(t, "the tag again", 1, 1, 1, 0)
		lookup(t, s, provider.Request{Image: tagged, Credentials: tenant(t, "quay.io", "two")})
		base.wantAsks(t, "another tenant", 2, 1, 1, 0)
		lookup(t, s, provider.Request{Image: image})
		base.wantAsks(t, "the digest", 2, 1, 1, 0)
		time.Sleep(10 * time.Minute)
		lookup(t, s, provider.Request{Image: image})
		base.wantAsks(t, "the digest, later", 2, 1, 2, 0)
		lookup(t, s, provider.Request{Image: image})
		base.wantAsks(t, "the digest, granted again", 2, 1, 2, 0)
		now = other
		if r := lookup(t, s, provider.Request{Image: tagged}); r.Digest() != other {
			t.Errorf("the moved tag is %s", r.Digest())
		}
		base.wantAsks(t, "the tag moved", 3, 2, 2, 0)
	})
}

// A denial revokes a grant: the next one needs the bytes again.
func TestStoreRevokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var denial error
		base := &keeper{opener: opener{open: func(context.Context, provider.Request) (string, provider.Platform, error) {
			return digest, provider.Platform{}, denial
		}}}
		state := &memo{}
		s := storeOver(t, base, chain.StoreConfig{State: state})
		lookup(t, s, provider.Request{Image: image})
		time.Sleep(10 * time.Minute)
		denial = &provider.Error{Class: provider.ClassUnauthorized}
		if _, err := s.Lookup(t.Context(), provider.Request{Image: image}); !errors.Is(err, provider.ErrUnauthorized) {
			t.Fatal(err)
		}
		denial = nil
		base.opens = 0
		lookup(t, storeOver(t, base, chain.StoreConfig{State: state}), provider.Request{Image: image})
		lookup(t, s, provider.Request{Image: image})
		if base.opens != 1 || base.asks != 0 { // the second one has the grant that the first one stored
			t.Errorf("%d manifests read, %d asked about; want one read", base.opens, base.asks)
		}
	})
}

// Grants outlive a process, and content does not.
func TestStoreState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, state := &keeper{opener: opener{open: byDigest}}, &memo{}
		next := func() *chain.Chain { return storeOver(t, base, chain.StoreConfig{State: state}) }
		one := provider.Request{Image: image, Credentials: tenant(t, "quay.io", "one")}
		two := provider.Request{Image: image, Credentials: tenant(t, "quay.io", "two")}
		lookup(t, next(), one)
		base.wantAsks(t, "first", 1, 1, 0, 0)
		time.Sleep(9 * time.Minute)
		s := next()
		lookup(t, s, one)
		lookup(t, s, one)
		base.wantAsks(t, "the next process", 1, 1, 0, 1)
		lookup(t, s, two)
		base.wantAsks(t, "another tenant", 2, 1, 0, 1)
		time.Sleep(time.Minute)
		s = next()
		lookup(t, s, one)
		base.wantAsks(t, "when the grant has expired", 2, 1, 1, 2)
		lookup(t, next(), one)
		base.wantAsks(t, "when it was renewed", 2, 1, 1, 3)

		base.kept = nil
		lookup(t, next(), one)
		base.wantAsks(t, "the content is gone", 3, 2, 1, 3)

		for k, v := range state.all { // a clock that was set back
			state.all[k] = []byte(strings.Replace(string(v), `"asked":9`, `"asked":99`, 1))
		}
		lookup(t, next(), one)
		base.wantAsks(t, "a grant from the future", 3, 2, 2, 4)

		for k := range state.all {
			state.all[k] = []byte("{}")
		}
		lookup(t, next(), one)
		base.wantAsks(t, "entries of something else", 4, 2+1, 2, 4)
	})
}

// A grant that is renewed all the time is not stored each time.
func TestStoreStateSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		base, state := &keeper{opener: opener{open: byDigest}}, &memo{}
		s := storeOver(t, base, chain.StoreConfig{State: state})
		for range 60 {
			lookup(t, s, provider.Request{Image: tagged})
			time.Sleep(10 * time.Second)
		}
		if state.puts < 4 || state.puts > 12 { // of the tag and of its digest
			t.Errorf("%d entries put in ten minutes; want some", state.puts)
		}
	})
}

// Content that was evicted is read from what is kept.
func TestStoreRestoresEvicted(t *testing.T) {
	base := &keeper{opener: opener{open: byDigest}}
	s := storeOver(t, base, chain.StoreConfig{MaxBytes: 8 << 10}) // one grant, and no release
	for range 2 {
		lookup(t, s, provider.Request{Image: image})
	}
	if base.opens != 1 || base.restored > 1 {
		t.Errorf("%d manifests, %d restored", base.opens, base.restored)
	}
}

// Whatever an entry holds: it is no record, or is the same when it is written again.
func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"version":1,"digest":"sha256:aa","os":"linux","architecture":"arm64","named":"sha256:bb","from":"quay.io/a/b:c","asked":1700000000}`))
	f.Add([]byte(`{"version":2,"digest":"sha256:aa"}`))
	f.Add([]byte(`{"version":1,"digest":"sha256:aa","from":"not a reference"}`))
	f.Add([]byte(`null`))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		once, ok := chain.ReadRecord(b)
		if !ok {
			return
		}
		twice, ok := chain.ReadRecord(once)
		if !ok || string(once) != string(twice) {
			t.Errorf("%s becomes %s, then %s", b, once, twice)
		}
	})
}
