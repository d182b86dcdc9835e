package provider

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// What says that no lookup is possible yet. It is not an error of the image.
var (
	// ErrNoRules says that a source of rules has not been read once.
	ErrNoRules = errors.New("the mirror policies have not been read yet")
	// ErrNoVerifier says that it is not known yet which signatures to ask for.
	ErrNoVerifier = errors.New("the signature policies have not been read yet")
)

// Sentinels for [errors.Is]: what [*Error]s of each class match.
var (
	ErrNotFound     = errors.New("not found")
	ErrUnauthorized = errors.New("unauthorized")
	ErrThrottled    = errors.New("too many requests")
	ErrServer       = errors.New("server error")
	ErrUnreachable  = errors.New("unreachable")
	ErrTimeout      = errors.New("timed out")
	ErrTLS          = errors.New("TLS failure")
	ErrDigest       = errors.New("content does not match its digest")
	ErrForbidden    = errors.New("forbidden by policy")
	ErrLimit        = errors.New("over a limit")
	ErrMalformed    = errors.New("malformed content")
	ErrSignature    = errors.New("signature missing or refused")
	// ErrInvalidRequest says that the request itself is wrong. Nobody was asked.
	ErrInvalidRequest = errors.New("invalid request")
)

// What can be wrong with a request, for [errors.Is]. All come with ErrInvalidRequest
// from providers; a bad pattern is [path.ErrBadPattern].
var (
	ErrInvalidPlatform = errors.New("invalid platform")
)

// Class is the kind of a failure. A caller reacts to all failures of one class in the same
// way.
type Class uint8

const (
	ClassUnknown      Class = iota
	ClassNotFound           // 404, or the manifest names what is not there
	ClassUnauthorized       // 401, 403
	ClassThrottled          // 429
	ClassServer             // 5xx
	ClassUnreachable        // DNS, refused, reset, cut off in a body
	ClassTimeout            // a time limit of ours, not the caller's own
	ClassTLS                // unknown authority, expired, wrong name
	ClassDigest             // the bytes are not those of the digest
	ClassForbidden          // policy blocks the endpoint, or where it leads to; nothing was sent there
	ClassLimit              // too large; see the limits of provider/registry
	ClassMalformed          // verified, and still not what it should be
	ClassSignature          // a signature that is asked for is missing, or refused
	ClassCanceled           // the caller gave up
	ClassInvalid            // the request itself is wrong: no endpoint can help, none was asked
)

var classes = [...]struct {
	name     string
	sentinel error
}{
	ClassUnknown:      {"unknown", nil},
	ClassNotFound:     {"not-found", ErrNotFound},
	ClassUnauthorized: {"unauthorized", ErrUnauthorized},
	ClassThrottled:    {"throttled", ErrThrottled},
	ClassServer:       {"server", ErrServer},
	ClassUnreachable:  {"unreachable", ErrUnreachable},
	ClassTimeout:      {"timeout", ErrTimeout},
	ClassTLS:          {"tls", ErrTLS},
	ClassDigest:       {"digest", ErrDigest},
	ClassForbidden:    {"forbidden", ErrForbidden},
	ClassLimit:        {"limit", ErrLimit},
	ClassMalformed:    {"malformed", ErrMalformed},
	ClassSignature:    {"signature", ErrSignature},
	ClassCanceled:     {"canceled", context.Canceled},
	ClassInvalid:      {"invalid", ErrInvalidRequest},
}

// String returns a short word that stays the same, fit for the label of a metric.
func (c Class) String() string {
	if int(c) < len(classes) {
		return classes[c].name
	}
	return classes[ClassUnknown].name
}

// Error says what went wrong with one endpoint. It holds nothing secret: no
// credential, no header, no query.
type Error struct {
	// Op is what was being done: "reading the manifest", "fetching the token".
	Op string
	// Ref is the candidate that was asked: the reference at the mirror, or at the source.
	Ref   imageref.Ref
	Class Class
	// Status is the HTTP status, 0 where there was none.
	Status int
	// RetryAfter is how long the server asked us to wait, 0 if it did not.
	RetryAfter time.Duration
	// Elsewhere says that it went wrong with another host, to which the host of Ref had
	// led: the target of a redirect, or a token realm. The host of Ref may be well. With
	// [ClassForbidden] it says that Ref was asked, and led to what policy blocks.
	Elsewhere bool
	// Final says that no other endpoint may be asked instead: the lookup ends.
	Final bool
	Err   error // the cause; nil where Class and Status say it all
}

func (e *Error) Error() string {
	var b strings.Builder
	if !e.Ref.IsZero() {
		b.WriteString(e.Ref.String())
		b.WriteString(": ")
	}
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	switch {
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	case e.Class != ClassUnknown && int(e.Class) < len(classes):
		b.WriteString(classes[e.Class].sentinel.Error())
	default:
		b.WriteString("failed")
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of the class of e.
func (e *Error) Is(target error) bool {
	return int(e.Class) < len(classes) && classes[e.Class].sentinel != nil && target == classes[e.Class].sentinel
}

// ClassOf returns the class of err. It is the class of the outermost error in its
// tree that has one: an [*Error], or an error that sums several up and has a
// method
//
//	Class() provider.Class
//
// Of errors beside each other the first counts. A bare context error is
// [ClassCanceled] or [ClassTimeout]. Anything else is [ClassUnknown].
func ClassOf(err error) Class {
	if c, ok := classOf(err); ok {
		return c
	}
	if e, ok := errors.AsType[*Error](err); ok { // behind an As method
		return e.Class
	}
	switch {
	case errors.Is(err, context.Canceled):
		return ClassCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return ClassTimeout
	}
	return ClassUnknown
}

func classOf(err error) (Class, bool) {
	switch e := err.(type) {
	case *Error:
		if e == nil {
			return ClassUnknown, false
		}
		return e.Class, true
	case interface{ Class() Class }:
		return e.Class(), true
	case interface{ Unwrap() []error }:
		return firstClass(e.Unwrap())
	case interface{ WrappedErrors() []error }: // multierror's, whose Unwrap gives no errors but rests of itself
		return firstClass(e.WrappedErrors())
	case interface{ Unwrap() error }:
		return classOf(e.Unwrap())
	}
	return ClassUnknown, false
}

func firstClass(errs []error) (Class, bool) {
	for _, err := range errs {
		if c, ok := classOf(err); ok {
			return c, true
		}
	}
	return ClassUnknown, false
}
