package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
)

// Exit codes. They are part of the interface: scripts act on them.
const (
	exitOK           = 0
	exitFailed       = 1 // anything that is none of the others
	exitUsage        = 2 // the command line is wrong; nothing was done
	exitNotFound     = 3
	exitUnauthorized = 4
	exitUnreachable  = 5 // away, too slow, too busy: trying later may help
	exitTLS          = 6
	exitDigest       = 7
	exitForbidden    = 8 // policy blocks every endpoint
	exitInterrupted  = 130
	exitBrokenPipe   = 141 // 128 and SIGPIPE, as shells count
	exitTerminated   = 143
)

const exitCodeHelp = `Exit codes:
  0  ok
  1  failed: a policy or credentials file that cannot be read, a malformed release
  2  wrong usage, a malformed image reference among it
  3  not found: the image, or the component
  4  no access: HTTP 401 or 403
  5  unreachable: no connection, a time limit, HTTP 429 or 5xx
  6  TLS: the certificate is not trusted or does not fit
  7  the content does not match its digest
  8  forbidden: policy blocks every endpoint of the image
  130  interrupted (Ctrl-C)
  141  whoever read the output went away (a closed pipe)
  143  terminated (SIGTERM)
Where endpoints failed in different ways the first of 7, 4, 6, 5, 3, 1 counts. A
source that cannot be reached does not count where every mirror says not found: 3.`

// severity is the order in which codes win over each other.
var severity = [...]int{exitDigest, exitUnauthorized, exitTLS, exitUnreachable, exitNotFound, exitForbidden, exitUsage, exitFailed}

// worse is the code of a and b that says more about what to do.
func worse(a, b int) int {
	for _, code := range severity {
		if a == code || b == code {
			return code
		}
	}
	return exitOK
}

func classCode(c provider.Class) int {
	switch c {
	case provider.ClassNotFound:
		return exitNotFound
	case provider.ClassUnauthorized:
		return exitUnauthorized
	case provider.ClassThrottled, provider.ClassServer, provider.ClassUnreachable, provider.ClassTimeout:
		return exitUnreachable
	case provider.ClassTLS:
		return exitTLS
	case provider.ClassDigest:
		return exitDigest
	case provider.ClassForbidden:
		return exitForbidden
	case provider.ClassInvalid:
		return exitUsage
	}
	return exitFailed
}

// exitCode is the code of any error but the end of the caller's own context.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[*sources.SpecError](err); ok {
		return exitUsage
	}
	if f, ok := errors.AsType[*failedLookup](err); ok {
		return f.code
	}
	return classCode(provider.ClassOf(err))
}

// attemptsCode returns the code of attempts to find image, exitOK where none failed.
func attemptsCode(image imageref.Ref, attempts []provider.Attempt) int {
	if !slices.ContainsFunc(attempts, func(at provider.Attempt) bool { return at.Err != nil }) {
		return exitOK
	}
	return classCode((&chain.Error{Image: image, Attempts: attempts}).Class())
}

// usageError says that the command line is wrong.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

// reported is an error that the person has been told about already.
type reported struct{ code int }

func (e *reported) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func hintsOf(err error) []string {
	if f, ok := errors.AsType[*failedLookup](err); ok {
		return f.hints
	}
	return nil
}
