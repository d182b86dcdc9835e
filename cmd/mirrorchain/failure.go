package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// failedLookup is a lookup that no endpoint answered, told so that a person sees
// what was tried and what to do.
type failedLookup struct {
	head     string
	attempts []provider.Attempt
	brief    bool // the attempts have been told already
	code     int
	hints    []string
}

func (e *failedLookup) Error() string {
	var b strings.Builder
	b.WriteString(e.head)
	if e.brief {
		return e.head
	}
	n := 0
	for i := 0; i < len(e.attempts); {
		at := e.attempts[i]
		// Retries that failed the same way are told as one.
		same := 1
		for i+same < len(e.attempts) && sameFailure(at, e.attempts[i+same]) {
			same++
		}
		i += same
		switch {
		case at.Err == nil:
		case provider.ClassOf(at.Err) == provider.ClassForbidden:
			fmt.Fprintf(&b, "\n  -  %s\n     not asked: %s", at.Ref, sayAttempt(at.Ref, at.Err))
		case same > 1:
			fmt.Fprintf(&b, "\n  %d-%d. %s\n     %d times: %s", n+1, n+same, at.Ref, same, sayAttempt(at.Ref, at.Err))
			n += same
		default:
			n++
			fmt.Fprintf(&b, "\n  %d. %s\n     after %s: %s", n, at.Ref, round(at.Took), sayAttempt(at.Ref, at.Err))
		}
	}
	return b.String()
}

func sameFailure(a, b provider.Attempt) bool {
	return a.Ref == b.Ref && a.Err != nil && b.Err != nil && a.Err.Error() == b.Err.Error()
}

// failed puts the error of a chain into words.
func (a *app) failed(ctx context.Context, ref refArg, err error, p *policies, res policy.Resolution, found authfile.Found, took time.Duration) error {
	e, ok := errors.AsType[*chain.Error](err)
	if !ok {
		return fmt.Errorf("looking up %s: %w", ref.Text, err)
	}
	f := &failedLookup{attempts: e.Attempts, code: exitCode(err)}
	if ctx.Err() != nil && errors.Is(err, context.DeadlineExceeded) {
		f.head = fmt.Sprintf("%s: no endpoint answered within --timeout %s", ref.Text, a.opts.timeout)
		f.attempts = append(slices.Clone(e.Attempts), unanswered(res, e.Attempts, took)...)
		f.code = attemptsCode(ref.Ref, f.attempts)
	} else {
		f.head = fmt.Sprintf("%s: no endpoint answered with it (%s)", ref.Text, sayAsked(f.attempts, " in "+round(took).String()))
	}
	f.hints = a.hints(ref, f.attempts, p, res, found)
	return f
}

// sayAsked counts the endpoints that were asked, and those that were not.
func sayAsked(attempts []provider.Attempt, took string) string {
	asked, blocked := make(map[imageref.Ref]bool), 0
	for _, at := range attempts {
		if provider.ClassOf(at.Err) == provider.ClassForbidden {
			blocked++
		} else {
			asked[at.Ref] = true
		}
	}
	s := plural(len(asked), "endpoint") + " asked" + took
	switch {
	case blocked == 1:
		s += ", 1 not asked because policy blocks it"
	case blocked > 1:
		s += fmt.Sprintf(", %d not asked because policy blocks them", blocked)
	}
	return s
}

// unanswered are the candidates that the end of the caller's time left without an
// attempt that could be recorded.
func unanswered(res policy.Resolution, attempts []provider.Attempt, took time.Duration) []provider.Attempt {
	var as []provider.Attempt
	for _, c := range res.Candidates {
		if !slices.ContainsFunc(attempts, func(at provider.Attempt) bool { return at.Ref == c.Ref }) {
			as = append(as, provider.Attempt{Ref: c.Ref, Took: took, Err: &provider.Error{
				Ref: c.Ref, Class: provider.ClassTimeout, Err: errors.New("no answer before --timeout ran out"),
			}})
		}
	}
	return as
}

func refusedAttempts(res policy.Resolution) []provider.Attempt {
	var as []provider.Attempt
	for _, r := range res.Refused {
		as = append(as, provider.Attempt{Ref: r.Ref, Err: &provider.Error{
			Ref: r.Ref, Class: provider.ClassForbidden, Err: fmt.Errorf("forbidden by policy: blocked by %s", sayScope(r)),
		}})
	}
	return as
}

// errForbidden is the error of a reference that policy leaves no endpoint for.
func errForbidden(refused []policy.Refusal) error {
	var by []string
	for _, r := range refused {
		by = append(by, fmt.Sprintf("%s is blocked by %s", r.Ref, sayScope(r)))
	}
	return &provider.Error{Class: provider.ClassForbidden, Err: fmt.Errorf("forbidden by policy, no endpoint is left: %s", strings.Join(by, "; "))}
}

func sayScope(r policy.Refusal) string {
	if r.Origin == "" {
		return r.By
	}
	return r.By + " (" + r.Origin + ")"
}

// classWords say what a class means to a person.
func classWords(c provider.Class) string {
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
	}
	return ""
}

// sayAttempt is err for a line below its endpoint's name, starting with what it
// means.
func sayAttempt(ref imageref.Ref, err error) string {
	text := strings.TrimPrefix(err.Error(), ref.String()+": ")
	if e, ok := errors.AsType[*provider.Error](err); ok && e.RetryAfter > 0 {
		text += ", asks to wait " + e.RetryAfter.String()
	}
	words := classWords(provider.ClassOf(err))
	if words == "" || strings.HasPrefix(strings.ToLower(text), strings.ToLower(words)) {
		return text
	}
	return words + ": " + text
}

// statusOf is the HTTP status in err, 0 for none.
func statusOf(err error) int {
	if e, ok := errors.AsType[*provider.Error](err); ok {
		return e.Status
	}
	return 0
}
