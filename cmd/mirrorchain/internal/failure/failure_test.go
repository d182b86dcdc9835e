package failure

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
)

var someImage = imageref.MustParse("quay.io/a/b")

func classError(c provider.Class) error {
	return fmt.Errorf("outer: %w", &provider.Error{Class: c, Err: errors.New("x")})
}

func TestExitCodes(t *testing.T) {
	byClass := map[provider.Class]int{
		provider.ClassUnknown: 1, provider.ClassNotFound: 3, provider.ClassUnauthorized: 4, provider.ClassThrottled: 5,
		provider.ClassServer: 5, provider.ClassUnreachable: 5, provider.ClassTimeout: 5, provider.ClassTLS: 6,
		provider.ClassDigest: 7, provider.ClassForbidden: 8, provider.ClassLimit: 1, provider.ClassMalformed: 1, provider.ClassSignature: 7, provider.ClassCanceled: 1,
	}
	for class, want := range byClass {
		if got := Code(classError(class)); got != want {
			t.Errorf("%s: %d, want %d", class, got, want)
		}
	}
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"none":      {nil, 0},
		"plain":     {errors.New("x"), 1},
		"usage":     {fmt.Errorf("x: %w", Usagef("y")), 2},
		"spec":      {fmt.Errorf("x: %w", &sources.SpecError{Spec: "a", Err: errors.New("y")}), 2},
		"policy":    {&policy.InvalidPolicyError{Err: errors.New("y")}, 1},
		"no rules":  {provider.ErrNoRules, 1},
		"deadline":  {context.DeadlineExceeded, 5},
		"reported":  {&Lookup{Code: 7}, 7},
		"not found": {&provider.Error{Class: provider.ClassNotFound}, 3},
	} {
		if got := Code(c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// 7 before 4, 6, 5, 3, 1, 8, whichever attempt came first.
func TestWhereAttemptsDiffer(t *testing.T) {
	order := []provider.Class{
		provider.ClassDigest, provider.ClassUnauthorized, provider.ClassTLS,
		provider.ClassTimeout, provider.ClassNotFound, provider.ClassMalformed, provider.ClassForbidden,
	}
	codes := []int{7, 4, 6, 5, 3, 1, 8}
	for i := range order {
		for j := range order {
			attempts := []provider.Attempt{{Err: classError(order[i])}, {Err: classError(order[j])}}
			if got, want := AttemptsCode(someImage, attempts), codes[min(i, j)]; got != want {
				t.Errorf("%s, %s: %d, want %d", order[i], order[j], got, want)
			}
		}
	}
	if got := AttemptsCode(someImage, []provider.Attempt{{}, {Err: classError(provider.ClassNotFound)}}); got != 3 {
		t.Errorf("beside one that answered: %d, want 3", got)
	}
}

// A mirror whose redirect is refused was asked.
func TestBlocked(t *testing.T) {
	for elsewhere, want := range map[bool]bool{false: true, true: false} {
		at := provider.Attempt{Err: &provider.Error{Class: provider.ClassForbidden, Elsewhere: elsewhere}}
		if got := Blocked(at); got != want {
			t.Errorf("elsewhere %v: blocked %v", elsewhere, got)
		}
	}
}

// A proxy may be what keeps us from a registry, or what is missing.
func TestProxyHints(t *testing.T) {
	attempts := []provider.Attempt{{Ref: imageref.MustParse("mirror.test/a/b"), Err: &provider.Error{Class: provider.ClassUnreachable}}}
	for unread, want := range map[bool]string{
		false: "HTTPS_PROXY is set; NO_PROXY must name registries that are reached directly",
		true:  "HTTPS_PROXY is set and not used: it is no URL of a proxy",
	} {
		if got := (Advice{Proxy: "HTTPS_PROXY", ProxyUnread: unread}).Hints(attempts, policy.Resolution{}); len(got) != 2 || got[0] != want {
			t.Errorf("%q, want %q first", got, want)
		}
	}
}

// A hint names the host that failed, and the flag that changes it.
func TestHints(t *testing.T) {
	ref := imageref.MustParse("mirror.test/a/b")
	for want, err := range map[string]error{
		"realm.test cannot serve requests now; try again later":                 &provider.Error{Op: "reading the manifest: fetching a token from realm.test", Class: provider.ClassServer, Elsewhere: true},
		"mirror.test leads to store.test, which refuses that address; credentials are not sent there, so its storage or its clock is the matter": &provider.Error{
			Op: "reading a blob: redirected to store.test", Class: provider.ClassUnauthorized, Elsewhere: true,
		},
		"is store.test:8443 the right name, and reachable from here?":           &provider.Error{Op: "reading a blob: redirected to store.test:8443", Class: provider.ClassUnreachable, Elsewhere: true},
		"is mirror.test the right name, and reachable from here?":               &provider.Error{Op: "redirected to mirror.test", Class: provider.ClassUnreachable},
		"mirror.test is too slow; --timeout limits the whole command, now 1m0s": OutOfTime(ref),
		"mirror.test leads to plain HTTP, which nobody can verify; to allow it, --insecure-registry mirror.test": &provider.Error{
			Class: provider.ClassTLS, Elsewhere: true, Err: errors.New("a redirect from https to plain HTTP is not followed"),
		},
		"mirror.test does not answer in time: it is overloaded, or a firewall drops what is sent to it; --endpoint-timeout gives it longer": &provider.Error{Class: provider.ClassTimeout},
	} {
		got := Advice{Timeout: time.Minute}.Hints([]provider.Attempt{{Ref: ref, Err: err}}, policy.Resolution{})
		if len(got) != 1 || got[0] != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
