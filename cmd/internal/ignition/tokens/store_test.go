package tokens_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *tokens.Store {
	t.Helper()
	s, err := tokens.OpenStore(tokens.StoreConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func payload(secret, body string) tokens.Payload {
	return tokens.Payload{Secret: secret, NodePool: "clusters/np", CloudConfigHash: "c", Body: []byte(body)}
}

func set(t *testing.T, s *tokens.Store, p tokens.Payload, names ...string) {
	t.Helper()
	if err := s.Set(t.Context(), p, names...); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, s *tokens.Store, token, body string) {
	t.Helper()
	p, ok := s.Lookup(token)
	if ok != (body != "") || string(p.Body) != body {
		t.Errorf("%s: %q, %v; want %q", token, p.Body, ok, body)
	}
}

func TestTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s, err := tokens.OpenStore(tokens.StoreConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Start(ctx) }()

		set(t, s, payload("s", "one"), "a")
		time.Sleep(tokens.RotateAfter)
		if ok, err := s.Alias(t.Context(), "b", "a"); !ok || err != nil {
			t.Fatalf("alias: %v, %v", ok, err)
		}
		time.Sleep(tokens.RotateAfter - 1)
		expect(t, s, "a", "one")
		time.Sleep(time.Nanosecond) // eleven hours since it was set
		expect(t, s, "a", "")
		expect(t, s, "b", "one") // its own time counts
		if ok, err := s.Alias(t.Context(), "c", "a"); ok || err != nil {
			t.Errorf("an alias of what is over: %v, %v", ok, err)
		}
		time.Sleep(tokens.TTL)
		expect(t, s, "b", "")
		synctest.Wait()
		if remaining, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(remaining) > 0 {
			t.Errorf("files are left: %v, %v", remaining, err)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestSetAndForget(t *testing.T) {
	s := open(t, "")
	set(t, s, payload("s1", "one"), "a", "", "old")
	set(t, s, payload("s2", "two"), "b")
	expect(t, s, "a", "one")
	expect(t, s, "old", "one")
	expect(t, s, "", "")
	if err := s.Set(t.Context(), payload("s", "x"), ""); err == nil {
		t.Error("an empty token is accepted")
	}
	if hash, ok := s.Cached("a"); !ok || hash != "c" {
		t.Errorf("Cached = %q, %v", hash, ok)
	}
	if err := s.Forget(t.Context(), "s1"); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "a", "")
	expect(t, s, "old", "")
	expect(t, s, "b", "two")
	if err := s.Retain(t.Context(), nil); err != nil || s.Len() != 0 {
		t.Errorf("%d are left, %v", s.Len(), err)
	}
}

// Secrets that had the name before have no say any more, on disk either.
func TestForgetOthers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	of := func(secret, uid string) tokens.Payload {
		p := payload(secret, secret+uid)
		p.UID, p.Recipe, p.Missing = uid, "r", []string{"m"}
		return p
	}
	set(t, s, of("s1", "old"), "a")
	set(t, s, of("s1", "new"), "b")
	set(t, s, of("s1", ""), "c")
	set(t, s, of("s2", "old"), "d")
	if err := s.ForgetOthers(t.Context(), "s1", "new"); err != nil {
		t.Fatal(err)
	}
	check := func(a, d string) {
		t.Helper()
		expect(t, s, "a", a)
		expect(t, s, "b", "s1new")
		expect(t, s, "c", "s1")
		expect(t, s, "d", d)
	}
	check("", "s2old")
	s.Close()
	s = open(t, dir)
	check("", "s2old")
	if p, _ := s.Lookup("b"); p.UID != "new" || p.Recipe != "r" || !slices.Equal(p.Missing, []string{"m"}) {
		t.Errorf("read again: %+v", p)
	}
	if err := s.Retain(t.Context(), map[string]string{"s1": "new", "s2": "new"}); err != nil {
		t.Fatal(err)
	}
	check("", "")
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	want := payload("token-np-1", `{"ignition":{"version":"3.2.0"}}`)
	set(t, s, want, "new-token", "old-token")
	set(t, s, payload("gone", "x"), "third-token")
	if err := s.Forget(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tmp-x"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	for _, token := range []string{"new-token", "old-token"} {
		got, ok := s.Lookup(token)
		if !ok || got.Secret != want.Secret || got.NodePool != want.NodePool || got.CloudConfigHash != want.CloudConfigHash || !bytes.Equal(got.Body, want.Body) {
			t.Errorf("%s: %+v, %v", token, got, ok)
		}
	}
	if s.Len() != 2 {
		t.Errorf("%d tokens; want 2", s.Len())
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%v, %v; want a file for each token", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", f.Name(), info.Mode(), err)
		}
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Error(err)
		}
		for _, token := range []string{"new-token", "old-token"} {
			if bytes.Contains(b, []byte(token)) || strings.Contains(f.Name(), token) {
				t.Errorf("%s holds a token", f.Name())
			}
		}
	}
}

func TestRestartAfterTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := open(t, dir)
		set(t, s, payload("s", "x"), "a")
		time.Sleep(tokens.TTL)
		s = open(t, dir)
		expect(t, s, "a", "")
		if remaining, err := os.ReadDir(dir); err != nil || len(remaining) != 0 {
			t.Errorf("%v, %v", remaining, err)
		}
	})
}

// The clock that stamped a file may have been ahead.
func TestRestartWithClockSetBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	set(t, s, payload("s", "x"), "a") // in 2026 or later
	synctest.Test(t, func(t *testing.T) {
		s, err := tokens.OpenStore(tokens.StoreConfig{Dir: dir}) // in 2000
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		expect(t, s, "a", "x")
		time.Sleep(tokens.TTL)
		expect(t, s, "a", "")
	})
}

func TestDamage(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"empty":     func([]byte) []byte { return nil },
		"flipped":   func(b []byte) []byte { b[len(b)-10] ^= 1; return b },
		"no hash":   func(b []byte) []byte { return b[65:] },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			set(t, open(t, dir), payload("s", "good"), "a")
			set(t, open(t, dir), payload("s", "other"), "b")
			files, err := filepath.Glob(filepath.Join(dir, "*.payload"))
			if err != nil || len(files) != 2 {
				t.Fatal(files, err)
			}
			b, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], damage(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if s := open(t, dir); s.Len() != 1 {
				t.Errorf("%d tokens; want the other one", s.Len())
			}
			if _, err := os.Stat(files[0]); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the damaged file is still there: %v", err)
			}
		})
	}
	t.Run("under another token's name", func(t *testing.T) {
		dir := t.TempDir()
		set(t, open(t, dir), payload("s", "good"), "a")
		files, _ := filepath.Glob(filepath.Join(dir, "*.payload"))
		if err := os.Rename(files[0], filepath.Join(dir, strings.Repeat("0", 64)+".payload")); err != nil {
			t.Fatal(err)
		}
		if s := open(t, dir); s.Len() != 0 {
			t.Error("a file is believed under another name")
		}
	})
}

func TestDiskFails(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.Close()
	if err := s.Set(t.Context(), payload("s", "x"), "a"); err == nil {
		t.Error("a payload that is not on disk is no error")
	}
	expect(t, s, "a", "x") // served all the same
}

func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 20 {
				token, secret := fmt.Sprint("t", n%5), fmt.Sprint("s", n%5)
				switch (i + n) % 4 {
				case 0, 1:
					if err := s.Set(t.Context(), payload(secret, token), token); err != nil {
						t.Error(err)
					}
				case 2:
					if err := s.Forget(t.Context(), secret); err != nil {
						t.Error(err)
					}
				}
				if p, ok := s.Lookup(token); ok && string(p.Body) != token {
					t.Errorf("%s: %q", token, p.Body)
				}
			}
		})
	}
	wg.Wait()
	want := s.Len()
	s.Close()
	if got := open(t, dir).Len(); got != want {
		t.Errorf("%d on disk, %d in memory", got, want)
	}
}

// Whether a payload is an Ignition config is decided when it is stored or read from disk,
// and not when it is served.
func TestValid(t *testing.T) {
	dir := t.TempDir()
	s, err := tokens.OpenStore(tokens.StoreConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]bool{
		`{"ignition":{"version":"3.2.0"}}`: true, `{"ignition":{}}`: false, "<html>": false, "": false,
		`{"ignition":{"version":"3.2.0"}}{}`: false,
	}
	for body := range bodies {
		if err := s.Set(t.Context(), tokens.Payload{Secret: "s", Body: []byte(body)}, "token of "+body); err != nil {
			t.Fatal(err)
		}
		if ok, err := s.Alias(t.Context(), "alias of "+body, "token of "+body); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	check := func(when string, s *tokens.Store) {
		for body, want := range bodies {
			for _, token := range []string{"token of " + body, "alias of " + body} {
				if p, ok := s.Lookup(token); !ok || p.Valid != want {
					t.Errorf("%s: %q: found %v, valid %v; want %v", when, token, ok, p.Valid, want)
				}
			}
		}
	}
	check("stored", s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := tokens.OpenStore(tokens.StoreConfig{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	check("read from disk", second)
}
