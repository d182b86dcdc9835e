// Package failure puts what went wrong into words: the errors of the command, their
// exit codes, and hints about what to do.
package failure

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Usage says that the command line is wrong.
type Usage struct{ Err error }

// Usagef makes a [Usage].
func Usagef(format string, args ...any) error { return &Usage{fmt.Errorf(format, args...)} }

func (e *Usage) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Usage) Unwrap() error { return e.Err }

// Reported is an error that the person has been told about already.
type Reported struct{ Code int }

func (e *Reported) Error() string { return fmt.Sprintf("exit code %d", e.Code) }

// Lookup is a lookup that no endpoint answered. Its text has a line for each endpoint
// that was tried.
type Lookup struct {
	// Head is the first line.
	Head     string
	Attempts []provider.Attempt
	// Brief leaves the attempts out of the text: they have been told already.
	Brief bool
	// Code is the exit code.
	Code int
	// Hints say what to do.
	Hints []string
}

// Error returns the head and the attempts. Every line but the first is indented, and
// nothing that a registry says makes one.
func (e *Lookup) Error() string {
	head := output.OneLine(e.Head)
	if e.Brief {
		return head
	}
	return head + Attempts(e.Attempts)
}

// Attempts lists attempts, each in two indented lines. Retries that failed in the same
// way are told as one. Those that answered are left out.
func Attempts(attempts []provider.Attempt) string {
	var b strings.Builder
	n := 0
	for i := 0; i < len(attempts); {
		at, same := attempts[i], Same(attempts[i:])
		i += same
		if at.Err == nil {
			continue
		}
		text := Attempt(at.Ref, at.Err)
		switch {
		case Blocked(at):
			fmt.Fprintf(&b, "\n  -  %s\n     not asked: %s", at.Ref, text)
		case same > 1:
			fmt.Fprintf(&b, "\n  %d-%d. %s\n     %d times: %s", n+1, n+same, at.Ref, same, text)
			n += same
		default:
			n++
			fmt.Fprintf(&b, "\n  %d. %s\n     after %s: %s", n, at.Ref, words.Duration(at.Took), text)
		}
	}
	return b.String()
}

// Same returns how many attempts from the first one on failed in the same way at the same
// endpoint; attempts must not be empty.
func Same(attempts []provider.Attempt) int {
	n := 1
	for n < len(attempts) && sameFailure(attempts[0], attempts[n]) {
		n++
	}
	return n
}

func sameFailure(a, b provider.Attempt) bool {
	return a.Ref == b.Ref && a.Err != nil && b.Err != nil && a.Err.Error() == b.Err.Error()
}

// Blocked reports whether policy blocks the endpoint of at, so that it was not asked. One
// that was asked, and leads to what policy blocks, is not blocked itself.
func Blocked(at provider.Attempt) bool {
	e, ok := errors.AsType[*provider.Error](at.Err)
	return provider.ClassOf(at.Err) == provider.ClassForbidden && !(ok && e.Elsewhere)
}

// Asked counts the endpoints that were asked, and those that policy blocks. A time is
// added as it is given: " in 3s".
func Asked(attempts []provider.Attempt, took string) string {
	asked, blocked := make(map[imageref.Ref]bool), 0
	for _, at := range attempts {
		if Blocked(at) {
			blocked++
		} else {
			asked[at.Ref] = true
		}
	}
	s := words.Plural(len(asked), "endpoint") + " asked" + took
	switch {
	case blocked == 1:
		s += ", 1 not asked because policy blocks it"
	case blocked > 1:
		s += fmt.Sprintf(", %d not asked because policy blocks them", blocked)
	}
	return s
}

var (
	errOutOfTime   = errors.New("no answer before --timeout ran out")
	errInterrupted = errors.New("no answer before the interruption")
)

// OutOfTime returns the error of an endpoint that was being asked when --timeout ended
// the command.
func OutOfTime(ref imageref.Ref) error {
	return &provider.Error{Ref: ref, Class: provider.ClassTimeout, Err: errOutOfTime}
}

// Interrupted returns the error of an endpoint that was being asked when somebody ended
// the command.
func Interrupted(ref imageref.Ref) error {
	return &provider.Error{Ref: ref, Class: provider.ClassCanceled, Err: errInterrupted}
}

// Unanswered returns the candidates that the end of the caller's time left without an
// attempt, as attempts that failed after took with what why returns.
func Unanswered(candidates []policy.Candidate, attempts []provider.Attempt, took time.Duration, why func(imageref.Ref) error) []provider.Attempt {
	var as []provider.Attempt
	for _, c := range candidates {
		if !slices.ContainsFunc(attempts, func(at provider.Attempt) bool { return at.Ref == c.Ref }) {
			as = append(as, provider.Attempt{Ref: c.Ref, Took: took, Err: why(c.Ref)})
		}
	}
	return as
}

// Refusals returns refused endpoints as attempts that were never made.
func Refusals(refused []policy.Refusal) []provider.Attempt {
	var as []provider.Attempt
	for _, r := range refused {
		as = append(as, provider.Attempt{Ref: r.Ref, Err: &provider.Error{
			Ref: r.Ref, Class: provider.ClassForbidden, Err: fmt.Errorf("forbidden by policy: blocked by %s", Scope(r)),
		}})
	}
	return as
}

// Forbidden returns the error of a reference that policy leaves no endpoint for.
func Forbidden(refused []policy.Refusal) error {
	var by []string
	for _, r := range refused {
		by = append(by, fmt.Sprintf("%s is blocked by %s", r.Ref, Scope(r)))
	}
	return &provider.Error{Class: provider.ClassForbidden, Err: fmt.Errorf("forbidden by policy, no endpoint is left: %s", strings.Join(by, "; "))}
}

// Scope names the scope that blocks r, and the entry that it comes from.
func Scope(r policy.Refusal) string {
	if r.Origin == "" {
		return r.By
	}
	return r.By + " (" + r.Origin + ")"
}

// Class says what a class means to a person, "" for none.
func Class(c provider.Class) string {
	switch c {
	case provider.ClassNotFound:
		return "not found"
	case provider.ClassUnauthorized:
		return "no access"
	case provider.ClassThrottled:
		return "too many requests"
	case provider.ClassServer:
		return "server error"
	case provider.ClassUnreachable:
		return "unreachable"
	case provider.ClassTimeout:
		return "timed out"
	case provider.ClassTLS:
		return "TLS failure"
	case provider.ClassDigest:
		return "wrong content"
	case provider.ClassForbidden:
		return "forbidden by policy"
	case provider.ClassLimit:
		return "over a limit"
	case provider.ClassMalformed:
		return "malformed content"
	case provider.ClassSignature:
		return "signature refused"
	}
	return ""
}

// Attempt returns err in one line for below the name of its endpoint. It starts with
// what the error means.
func Attempt(ref imageref.Ref, err error) string {
	text := strings.TrimPrefix(err.Error(), ref.String()+": ")
	if e, ok := errors.AsType[*provider.Error](err); ok && e.RetryAfter > 0 {
		text += ", asks to wait " + e.RetryAfter.String()
	}
	words := Class(provider.ClassOf(err))
	if ownRegistry(ref) && (provider.ClassOf(err) == provider.ClassUnreachable || provider.ClassOf(err) == provider.ClassTimeout) {
		words = "the cluster's own registry, not reachable from here"
	}
	if words != "" && !strings.HasPrefix(strings.ToLower(text), strings.ToLower(words)) {
		text = words + ": " + text
	}
	return output.OneLine(text)
}

// ownRegistry reports whether ref is at the registry that the nodes of a cluster serve inside of it
// (the machine-config operator's InternalReleaseImage).
func ownRegistry(ref imageref.Ref) bool {
	return strings.HasPrefix(ref.Registry(), "api-int.") && strings.HasSuffix(ref.Registry(), ":22625")
}

// Status returns the HTTP status in err, 0 for none.
func Status(err error) int {
	if e, ok := errors.AsType[*provider.Error](err); ok {
		return e.Status
	}
	return 0
}
