package provider_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

var sentinels = map[provider.Class]error{
	provider.ClassNotFound:     provider.ErrNotFound,
	provider.ClassUnauthorized: provider.ErrUnauthorized,
	provider.ClassThrottled:    provider.ErrThrottled,
	provider.ClassServer:       provider.ErrServer,
	provider.ClassUnreachable:  provider.ErrUnreachable,
	provider.ClassTimeout:      provider.ErrTimeout,
	provider.ClassTLS:          provider.ErrTLS,
	provider.ClassDigest:       provider.ErrDigest,
	provider.ClassForbidden:    provider.ErrForbidden,
	provider.ClassLimit:        provider.ErrLimit,
	provider.ClassMalformed:    provider.ErrMalformed,
	provider.ClassCanceled:     context.Canceled,
}

// An Error matches the sentinel of its class, its cause and nothing else, however
// it is wrapped.
func TestErrorIs(t *testing.T) {
	names := make(map[string]bool)
	for class, sentinel := range sentinels {
		e := &provider.Error{Class: class, Err: io.ErrUnexpectedEOF}
		wrapped := fmt.Errorf("a: %w", errors.Join(errors.New("b"), e))
		for other, s := range sentinels {
			if got := errors.Is(wrapped, s); got != (other == class) {
				t.Errorf("an error of class %s is %q: %t", class, s, got)
			}
		}
		if !errors.Is(wrapped, io.ErrUnexpectedEOF) {
			t.Errorf("class %s hides its cause", class)
		}
		if provider.ClassOf(wrapped) != class {
			t.Errorf("class %s of an error of %s", provider.ClassOf(wrapped), class)
		}
		if (&provider.Error{Class: class}).Error() != sentinel.Error() {
			t.Errorf("class %s alone says %q", class, &provider.Error{Class: class})
		}
		if names[class.String()] || class.String() == provider.ClassUnknown.String() {
			t.Errorf("class %d has a name that is another's: %s", class, class)
		}
		names[class.String()] = true
	}
	for _, c := range []provider.Class{provider.ClassUnknown, 200} {
		e := &provider.Error{Class: c}
		for _, s := range sentinels {
			if errors.Is(e, s) {
				t.Errorf("class %d is %q", c, s)
			}
		}
		if c.String() != "unknown" || e.Error() != "failed" || errors.Is(e, nil) {
			t.Errorf("class %d: %q, %q", c, c, e)
		}
	}
}

func TestClassOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want provider.Class
	}{
		{nil, provider.ClassUnknown},
		{io.EOF, provider.ClassUnknown},
		{context.Canceled, provider.ClassCanceled},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), provider.ClassTimeout},
		{fmt.Errorf("x: %w", &provider.Error{Class: provider.ClassTLS, Err: context.Canceled}), provider.ClassTLS},
		{errors.Join(&provider.Error{Class: provider.ClassServer}, &provider.Error{Class: provider.ClassNotFound}), provider.ClassServer},
	} {
		if got := provider.ClassOf(c.err); got != c.want {
			t.Errorf("class of %v is %s, want %s", c.err, got, c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	ref := imageref.MustParse("mirror.example.com/a:1")
	for want, e := range map[string]*provider.Error{
		"mirror.example.com/a:1: reading the manifest: not found (HTTP 404)": {Op: "reading the manifest", Ref: ref, Class: provider.ClassNotFound, Status: 404},
		"reading a layer: unexpected EOF":                                    {Op: "reading a layer", Class: provider.ClassUnreachable, Err: io.ErrUnexpectedEOF},
		"mirror.example.com/a:1: failed (HTTP 418)":                          {Ref: ref, Status: 418},
	} {
		if e.Error() != want {
			t.Errorf("says %q, want %q", e, want)
		}
	}
}
