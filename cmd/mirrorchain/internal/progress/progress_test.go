package progress

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func show(t *testing.T, width int, busy time.Duration, what string) string {
	var out bytes.Buffer
	synctest.Test(t, func(*testing.T) {
		stop := Start(&out, func() int { return width }, func() string { return what })
		<-time.After(busy)
		stop()
		stop()
	})
	return out.String()
}

func TestProgress(t *testing.T) {
	if got := show(t, 80, after/2, "x"); got != "" {
		t.Errorf("a moment: %q, want nothing", got)
	}
	got := show(t, 80, 3*time.Second, "looking up x")
	if !strings.Contains(got, "looking up x (3s)") || !strings.HasSuffix(got, Clear) {
		t.Errorf("on a terminal: %q", got)
	}
}

// The line fits, whatever the width: one that wraps is never removed again.
func TestProgressFits(t *testing.T) {
	const what = "looking up quay.io/openshift-release-dev/ocp-release@sha256:e96047c50caf0aaffeaf7ed0fe50bd3f574ad347cd0f588a56b876f79cc29d3e"
	for _, width := range []int{0, 1, 2, 5, 9, 10, 20, 40, 80, 131, 200} {
		got := show(t, width, 2*time.Second, what)
		limit := width
		if width == 0 {
			limit = usualWidth
		}
		for _, l := range strings.Split(got, Clear) {
			if n := utf8.RuneCountInString(l); n >= limit && n > 0 {
				t.Errorf("width %d: a line of %d: %q", width, n, l)
			}
		}
		if limit >= 40 && !strings.Contains(got, "looking up quay.io/") || limit >= 20 && !strings.Contains(got, "s)") {
			t.Errorf("width %d: %q", width, got)
		}
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, of int
		want     string
	}{
		{0, 191, "[>                       ] 0/191"},
		{95, 191, "[===========>            ] 95/191"},
		{191, 191, "[========================] 191/191"},
		{0, 0, "[========================] 0/0"},
	} {
		if got := Bar(c.done, c.of); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.done, c.of, got, c.want)
		}
	}
}

// What is no terminal gets whole lines, some seconds apart, and nothing for a short run.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		busy time.Duration
		want string
	}{{between - time.Second, ""}, {3*between + time.Second, "x\nx\nx\n"}} {
		var out bytes.Buffer
		synctest.Test(t, func(*testing.T) {
			stop := Lines(&out, func() string { return "x" })
			<-time.After(c.busy)
			stop()
			stop()
		})
		if out.String() != c.want {
			t.Errorf("after %s: %q, want %q", c.busy, out.String(), c.want)
		}
	}
}

func TestPace(t *testing.T) {
	for _, c := range []struct {
		done, of int
		took     time.Duration
		want     string
	}{
		{0, 190, time.Minute, ""},
		{20, 190, 900 * time.Millisecond, ""},
		{20, 190, 2 * time.Second, ", 10/s, 17s left"},
		{3, 190, 2 * time.Second, ", 1.5/s, 2m5s left"},
		{189, 190, 10 * time.Second, ", 19/s, 1s left"},
		{190, 190, 10 * time.Second, ", 19/s"},
	} {
		if got := Pace(c.done, c.of, c.took); got != c.want {
			t.Errorf("%d of %d in %s: %q, want %q", c.done, c.of, c.took, got, c.want)
		}
	}
}
