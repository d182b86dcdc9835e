package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

func TestParseToken(t *testing.T) {
	began := time.Unix(1000, 0)
	for _, tt := range []struct {
		body, token string
		life        time.Duration
		says        string
	}{
		{`{"token":"a"}`, "a", 54 * time.Second, ""},
		{`{"access_token":"b","expires_in":300}`, "b", 290 * time.Second, ""},
		{`{"token":"a","access_token":"b","expires_in":10}`, "a", 9 * time.Second, ""},
		{`{"token":"a","expires_in":1e300}`, "a", 24*time.Hour - 10*time.Second, ""},
		{`{"token":"a","expires_in":-5}`, "a", 54 * time.Second, ""},
		{`{"token":"a","expires_in":"300"}`, "a", 290 * time.Second, ""},
		{`{"token":"a","expires_in":"soon"}`, "a", 54 * time.Second, ""},
		{`{"token":"a","expires_in":"NaN"}`, "a", 54 * time.Second, ""},
		{`{"token":"a","expires_in":[1]}`, "a", 54 * time.Second, ""},
		{`{"token":"a","expires_in":1e999}`, "a", 54 * time.Second, ""},
		{`{"token":""}`, "", 0, "no usable token"},
		{`{"token":"a b"}`, "", 0, "no usable token"},
		{`{"token":"a\nHost: x"}`, "", 0, "no usable token"},
		{`{"Token":"a","TOKEN":"b","Access_Token":"c"}`, "", 0, "no usable token"},
		{`{"token":"a","Token":"b","Expires_In":3600}`, "a", 54 * time.Second, ""},
		{`{"token":null,"access_token":"b"}`, "b", 54 * time.Second, ""},
		{`{"token":["secret"]}`, "", 0, "not a JSON object"},
		{`<html>secret`, "", 0, "not a JSON object"},
		{`{"token":"` + strings.Repeat("a", maxTokenBody) + `"}`, "", 0, "more than"},
	} {
		b, err := parseToken([]byte(tt.body), began)
		if tt.says != "" {
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%.40s: %v", tt.body, err)
			}
			continue
		}
		if err != nil || b.token != tt.token || b.until.Sub(began) != tt.life {
			t.Errorf("%s: %q for %v, %v", tt.body, b.token, b.until.Sub(began), err)
		}
	}
}

// The memory of tokens is bounded; those go that expire first.
func TestTokensBounded(t *testing.T) {
	m := NewMemory(Config{Background: NewBackground()})
	now := time.Now()
	last := tokenKey{repository: "last"}
	m.keep(last, bearer{token: "x", asked: now, until: now.Add(time.Hour * 24)})
	for i := range 2 * maxTokens {
		m.keep(tokenKey{repository: fmt.Sprint(i)}, bearer{token: "x", asked: now, until: now.Add(time.Duration(i) * time.Second)})
	}
	if len(m.tokens) > maxTokens {
		t.Errorf("%d tokens are kept", len(m.tokens))
	}
	if _, ok := m.tokens[last]; !ok {
		t.Error("the longest lived is gone")
	}
}

// Who comes second waits for the first, not for long if it hangs, and not at all
// once the host is known.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		who := func(anonymous bool) provider.Credential {
			if anonymous {
				return provider.Credential{}
			}
			return provider.NewCredential("alice", "x")
		}
		enter := func(m *Memory, anonymous bool) (*First, time.Duration) {
			t.Helper()
			began := time.Now()
			f, err := m.Enter(t.Context(), who(anonymous))
			if err != nil {
				t.Fatal(err)
			}
			return f, time.Since(began)
		}
		m := NewMemory(Config{})
		first, _ := enter(m, true)
		if first == nil {
			t.Fatal("nobody goes first")
		}
		// A connection that does not come about.
		if f, waited := enter(m, true); f != nil || waited != hold {
			t.Errorf("went first: %v, waited %v", f != nil, waited)
		}
		// Callers with credentials have a first of their own.
		if f, waited := enter(m, false); f == nil || waited != 0 {
			t.Errorf("went first: %v, waited %v", f != nil, waited)
		}
		first.End(false)
		if f, _ := enter(m, true); f == nil {
			t.Error("nobody tries again after a failure")
		} else {
			// An answer that does not come.
			f.Sent()
			if _, waited := enter(m, true); waited != timeLimit {
				t.Errorf("waited %v", waited)
			}
			f.End(true)
			f.End(false)
		}
		if f, waited := enter(m, true); f != nil || waited != 0 {
			t.Errorf("a known host: went first: %v, waited %v", f != nil, waited)
		}

		// Who waits leaves with its context.
		m = NewMemory(Config{})
		f, _ := enter(m, true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := m.Enter(ctx, who(true)); err == nil {
			t.Error("no error")
		}
		f.End(true)
	})
}

// After Close no token is asked for, and whoever wants one is told at once.
func TestNoTokenAfterClose(t *testing.T) {
	b := NewBackground()
	m := NewMemory(Config{Background: b})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() { b.run(func() {}) }) // the race detector finds a group that grows while it is waited for
	}
	b.Close()
	callers.Wait()
	m.mu.Lock()
	f := m.start(flightKey{}, exchange{})
	m.mu.Unlock()
	<-f.done
	if !errors.Is(f.err, context.Canceled) || len(m.flights) != 0 {
		t.Errorf("%v, %d flights", f.err, len(m.flights))
	}
}
