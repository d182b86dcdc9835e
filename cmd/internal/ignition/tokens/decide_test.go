package tokens_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) string { return now.Add(-d).Format(time.RFC3339Nano) }
	in := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	const half = 5*time.Hour + 30*time.Minute
	for _, c := range []struct {
		name   string
		state  tokens.State
		cached map[string]string // token to cloud config hash
		want   tokens.Plan
	}{
		{"deleted", tokens.State{Deleted: true, Token: "a"}, nil, tokens.Plan{Forget: true}},
		{"deleted and expired", tokens.State{Deleted: true, Expires: in(-1)}, nil, tokens.Plan{Forget: true}},
		{"expired", tokens.State{Token: "a", Expires: in(-time.Second)}, map[string]string{"a": ""}, tokens.Plan{Forget: true, Delete: true}},
		{"expires now", tokens.State{Token: "a", Expires: in(0)}, nil, tokens.Plan{Forget: true, Delete: true}},
		{"expiry unreadable", tokens.State{Token: "a", Expires: "tomorrow"}, nil, tokens.Plan{Forget: true, Delete: true}},
		{"new", tokens.State{Token: "a", Generated: ago(time.Minute)}, nil, tokens.Plan{Generate: true, RequeueAfter: half - time.Minute}},
		{"cached", tokens.State{Token: "a", Generated: ago(time.Hour)}, map[string]string{"a": ""}, tokens.Plan{RequeueAfter: half - time.Hour}},
		{"cached, expiring", tokens.State{Token: "a", Generated: ago(time.Hour), Expires: in(2 * time.Hour)}, map[string]string{"a": ""}, tokens.Plan{RequeueAfter: 2 * time.Hour}},
		{"cached with another cloud config", tokens.State{Token: "a", Generated: ago(time.Hour), CloudConfigHash: "2"}, map[string]string{"a": "1"}, tokens.Plan{Generate: true, RequeueAfter: half - time.Hour}},
		{"cached, both tokens with another cloud config", tokens.State{Token: "a", OldToken: "b", Generated: ago(time.Hour), CloudConfigHash: "2"}, map[string]string{"a": "1", "b": "1"}, tokens.Plan{Generate: true, RequeueAfter: half - time.Hour}},
		{"just before rotation", tokens.State{Token: "a", Generated: ago(half - 1)}, map[string]string{"a": ""}, tokens.Plan{RequeueAfter: 1}},
		{"rotation", tokens.State{Token: "a", Generated: ago(half)}, map[string]string{"a": ""}, tokens.Plan{Rotate: true, RequeueAfter: half}},
		{"rotation, age unknown", tokens.State{Token: "a"}, map[string]string{"a": ""}, tokens.Plan{Rotate: true, RequeueAfter: half}},
		{"rotation, age unreadable", tokens.State{Token: "a", Generated: "yesterday"}, map[string]string{"a": ""}, tokens.Plan{Rotate: true, RequeueAfter: half}},
		{"made in the future", tokens.State{Token: "a", Generated: ago(-time.Hour)}, map[string]string{"a": ""}, tokens.Plan{RequeueAfter: half}},
		{"rotated", tokens.State{Token: "b", OldToken: "a", Generated: ago(0)}, map[string]string{"a": ""}, tokens.Plan{Alias: true, RequeueAfter: half}},
		{"old and not served", tokens.State{Token: "a", Generated: ago(10 * time.Hour)}, nil, tokens.Plan{Generate: true, RequeueAfter: time.Second}},
		{"of unknown age and not served", tokens.State{Token: "a"}, nil, tokens.Plan{Generate: true, RequeueAfter: time.Second}},
		{"without a token", tokens.State{}, map[string]string{"": ""}, tokens.Plan{}},
		{"without a token, expiring", tokens.State{Expires: in(time.Hour)}, nil, tokens.Plan{RequeueAfter: time.Hour}},
		{"an empty old token", tokens.State{Token: "a", Generated: ago(0)}, map[string]string{"": ""}, tokens.Plan{Generate: true, RequeueAfter: half}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := tokens.Decide(c.state, func(token string) (string, bool) {
				hash, ok := c.cached[token]
				return hash, ok
			}, now)
			if got != c.want {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestRotated(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 123456789, time.FixedZone("CET", 3600))
	s := tokens.State{Token: "a", OldToken: "z", Generated: "old", CloudConfigHash: "h"}.Rotated(now)
	if s.OldToken != "a" || s.Generated != "2026-11-22T11:00:00.123456789Z" || s.CloudConfigHash != "h" {
		t.Errorf("got %+v", s)
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(s.Token) {
		t.Errorf("token %q is no UUID", s.Token)
	}
	if s.Token == s.Rotated(now).Token {
		t.Error("the same token twice")
	}
}

func TestReport(t *testing.T) {
	s, changed := tokens.State{}.Report("AsExpected", "")
	if !changed || s.Reason != "AsExpected" {
		t.Errorf("got %+v, %v", s, changed)
	}
	if _, changed := s.Report("AsExpected", ""); changed {
		t.Error("the same again is a change")
	}
	if _, changed := s.Report("AsExpected", "x"); !changed {
		t.Error("another message is no change")
	}
}
