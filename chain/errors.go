package chain

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Error says that no endpoint answered for an image, and why each of them failed.
// [errors.Is] and [errors.As] reach the error of every attempt. [provider.ClassOf]
// returns its [Error.Class].
type Error struct {
	// Image is the image of the request.
	Image imageref.Ref
	// Rules is the version of the rules in force.
	Rules string
	// Attempts are the attempts that were made, in order. After them come the
	// candidates that policy blocks: they were not contacted, and their errors are of
	// [provider.ClassForbidden].
	Attempts []provider.Attempt

	errs  *multierror.Error // of the attempts; a caller's context that ended the lookup comes first
	ended provider.Class    // of the caller's own end; ClassUnknown where that ended nothing
}

// Error returns one line that lists every endpoint and why it did not answer.
func (e *Error) Error() string {
	if e.errs == nil {
		return "looking up " + e.Image.String() + ": failed"
	}
	return "looking up " + e.Image.String() + ": " + e.errs.Error()
}

// Class returns one class for the whole lookup. If the attempts failed in different ways,
// the first of these classes counts:
//
//   - digest
//   - signature
//   - unauthorized
//   - TLS
//   - unreachable, timeout, server or throttled, whichever came first
//   - not found
//   - any other
//   - forbidden, so what policy blocks counts only if nothing else failed
//
// There are two exceptions. If the source is unreachable or times out and all mirrors
// say not found, the class is not found: at a site without a connection to the source,
// the question is what the mirrors have. If the caller gave up, the class is
// [provider.ClassCanceled]. If the caller's deadline ended the lookup, this counts as one
// more attempt of class timeout.
func (e *Error) Class() provider.Class {
	if e.ended == provider.ClassCanceled {
		return e.ended
	}
	source := e.Image.Normalize()
	var all, elsewhere worst // elsewhere leaves out the source where it is away
	for _, a := range e.Attempts {
		if a.Err == nil {
			continue
		}
		c := provider.ClassOf(a.Err)
		all.add(c)
		if a.Ref != source || c != provider.ClassUnreachable && c != provider.ClassTimeout {
			elsewhere.add(c)
		}
	}
	if e.ended != provider.ClassUnknown {
		all.add(e.ended)
		elsewhere.add(e.ended)
	}
	switch {
	case elsewhere.class == provider.ClassNotFound:
		return elsewhere.class
	case !all.found && e.errs != nil:
		return provider.ClassOf(e.errs)
	}
	return all.class
}

// worst is the most urgent of some classes, and of equally urgent ones the first.
type worst struct {
	class provider.Class
	found bool
}

func (w *worst) add(c provider.Class) {
	if !w.found || urgency(c) > urgency(w.class) {
		w.class, w.found = c, true
	}
}

// urgency orders classes by what a person should hear of first.
func urgency(c provider.Class) int {
	switch c {
	case provider.ClassDigest:
		return 7
	case provider.ClassSignature:
		return 6
	case provider.ClassUnauthorized:
		return 5
	case provider.ClassTLS:
		return 4
	case provider.ClassUnreachable, provider.ClassTimeout, provider.ClassServer, provider.ClassThrottled:
		return 3
	case provider.ClassNotFound:
		return 2
	case provider.ClassForbidden:
		return 0
	}
	return 1
}

// Unwrap returns the errors of the attempts, each with its endpoint, in order. If the
// caller's context ended the lookup, the first of them says so, and names the endpoint
// that was being asked.
func (e *Error) Unwrap() []error { return e.errs.WrappedErrors() }

// newError returns the error of a lookup. ended is a contextError if the caller's
// context ended the lookup, else nil.
func newError(req *provider.Request, attempts []provider.Attempt, ended error) *Error {
	e := &Error{Image: req.Image, Rules: rulesVersion(req), Attempts: attempts}
	errs := &multierror.Error{ErrorFormat: oneLine}
	if ended != nil {
		e.ended = provider.ClassOf(ended)
		errs.Errors = append(errs.Errors, ended)
	}
	for _, a := range attempts {
		if a.Err != nil {
			errs.Errors = append(errs.Errors, attemptError{a.Ref, a.Err})
		}
	}
	if len(errs.Errors) == 0 {
		errs.Errors = append(errs.Errors, &provider.Error{
			Class: provider.ClassForbidden, Err: errors.New("the policies leave no endpoint to ask"),
		})
	}
	e.errs = errs
	return e
}

// contextError returns the error of a context with a class, and with the endpoint that
// was being asked; zero if there was none.
func contextError(err error, asking imageref.Ref) error {
	class := provider.ClassCanceled
	if errors.Is(err, context.DeadlineExceeded) {
		class = provider.ClassTimeout
	}
	return &provider.Error{Ref: asking, Class: class, Err: err}
}

func oneLine(errs []error) string {
	var b strings.Builder
	for i, err := range errs {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(err.Error())
	}
	return b.String()
}

// attemptError adds the endpoint to an error that does not name it.
type attemptError struct {
	ref imageref.Ref
	err error
}

func (e attemptError) Error() string {
	if pe, ok := e.err.(*provider.Error); ok && pe.Ref == e.ref {
		return e.err.Error()
	}
	return e.ref.String() + ": " + e.err.Error()
}

func (e attemptError) Unwrap() error { return e.err }

// refusals returns the endpoints that policy blocks as attempts, which were never made.
func refusals(req *provider.Request) []provider.Attempt {
	res, err := req.Rules.Resolve(req.Image)
	if err != nil {
		return nil
	}
	var as []provider.Attempt
	for _, r := range res.Refused {
		why := fmt.Sprintf("%v: blocked by %s", provider.ErrForbidden, r.By)
		if r.Origin != "" {
			why += " (" + r.Origin + ")"
		}
		as = append(as, provider.Attempt{Ref: r.Ref, Err: &provider.Error{
			Ref: r.Ref, Class: provider.ClassForbidden, Err: errors.New(why),
		}})
	}
	return as
}

// noAnswer reports whether no endpoint answered at all: each one was unreachable,
// overloaded or not trusted, and none denied anything. Endpoints that policy blocks do
// not count, since they were not asked.
func noAnswer(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return unavailable(provider.ClassOf(err))
	}
	asked := false
	for _, a := range e.Attempts {
		switch c := provider.ClassOf(a.Err); {
		case c == provider.ClassForbidden:
		case !unavailable(c):
			return false
		default:
			asked = true
		}
	}
	return asked
}

// denied reports whether an endpoint answered that the image does not exist, or that the
// credential may not read it. err counts if there were no attempts.
func denied(attempts []provider.Attempt, err error) bool {
	deny := func(err error) bool {
		c := provider.ClassOf(err)
		return c == provider.ClassNotFound || c == provider.ClassUnauthorized
	}
	for _, a := range attempts {
		if a.Err != nil && deny(a.Err) {
			return true
		}
	}
	return len(attempts) == 0 && err != nil && deny(err)
}

// unavailable reports whether an error of class c says nothing about the image, only
// about the endpoint.
func unavailable(c provider.Class) bool {
	switch c {
	case provider.ClassUnreachable, provider.ClassTimeout, provider.ClassTLS,
		provider.ClassServer, provider.ClassThrottled:
		return true
	}
	return false
}

// attemptsOf returns the attempts of a lookup that failed.
func attemptsOf(err error) []provider.Attempt {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Attempts
	}
	return nil
}
