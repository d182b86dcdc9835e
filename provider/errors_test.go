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
	provider.ClassInvalid:      provider.ErrInvalidRequest,
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
	notFound := &provider.Error{Class: provider.ClassNotFound}
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
		// An error that sums others up decides, wherever it is, unless an Error is around it.
		{sum{notFound, provider.ClassDigest}, provider.ClassDigest},
		{fmt.Errorf("x: %w", errors.Join(io.EOF, sum{notFound, provider.ClassDigest})), provider.ClassDigest},
		{errors.Join(notFound, sum{notFound, provider.ClassDigest}), provider.ClassNotFound},
		{&provider.Error{Class: provider.ClassServer, Err: sum{notFound, provider.ClassDigest}}, provider.ClassServer},
		{list{io.EOF, sum{notFound, provider.ClassDigest}, notFound}, provider.ClassDigest},
		{as{notFound}, provider.ClassNotFound},
		{sum{context.Canceled, provider.ClassUnknown}, provider.ClassUnknown},
	} {
		if got := provider.ClassOf(c.err); got != c.want {
			t.Errorf("class of %v is %s, want %s", c.err, got, c.want)
		}
	}
}

// sum is an error with a class of its own.
type sum struct {
	error
	class provider.Class
}

func (s sum) Class() provider.Class { return s.class }
func (s sum) Unwrap() error         { return s.error }

// list is like a multierror.
type list []error

func (list) Error() string            { return "several" }
func (l list) WrappedErrors() []error { return l }

// as shows what it holds to errors.As alone.
type as struct{ e *provider.Error }

func (as) Error() string { return "hidden" }
func (a as) As(target any) bool {
	p, ok := target.(**provider.Error)
	if ok {
		*p = a.e
	}
	return ok
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
