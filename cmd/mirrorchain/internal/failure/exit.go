package failure

import (
	"errors"
	"slices"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources"
)

// Exit codes. They are part of the interface: scripts act on them.
const (
	ExitOK           = 0
	ExitFailed       = 1 // anything that is none of the others
	ExitUsage        = 2 // the command line is wrong; nothing was done
	ExitNotFound     = 3 // an image, a component, a signature
	ExitUnauthorized = 4
	ExitUnreachable  = 5 // away, too slow, too busy: trying later may help
	ExitTLS          = 6
	ExitDigest       = 7 // not what it should be: the content, or a signature
	ExitForbidden    = 8 // policy blocks every endpoint
	ExitInterrupted  = 130
	ExitBrokenPipe   = 141 // 128 and SIGPIPE, as shells count
	ExitTerminated   = 143
)

// ExitCodeHelp describes the exit codes for a help text.
const ExitCodeHelp = `Exit codes:
  0  ok
  1  failed: a policy or credentials file that cannot be read, a malformed release
  2  wrong usage, for example a malformed image reference
  3  not found: the image, the component, or a signature
  4  no access: HTTP 401 or 403
  5  unreachable: no connection, a time limit, HTTP 429 or 5xx
  6  TLS: the certificate is not trusted, or is for other names
  7  the content does not match its digest, or a signature is refused
  8  forbidden: policy blocks every endpoint of the image
  130  interrupted (Ctrl-C)
  141  the reader of the output went away (a closed pipe)
  143  terminated (SIGTERM)
If endpoints fail in different ways, the first of 7, 4, 6, 5, 3, 1 counts. A source
that cannot be reached does not count if every mirror says not found: then it is 3.`

// severity is the order in which codes win over each other.
var severity = [...]int{ExitDigest, ExitUnauthorized, ExitTLS, ExitUnreachable, ExitNotFound, ExitForbidden, ExitUsage, ExitFailed}

// Worse returns the code of a and b that says more about what to do.
func Worse(a, b int) int {
	for _, code := range severity {
		if a == code || b == code {
			return code
		}
	}
	return ExitOK
}

func classCode(c provider.Class) int {
	switch c {
	case provider.ClassNotFound:
		return ExitNotFound
	case provider.ClassUnauthorized:
		return ExitUnauthorized
	case provider.ClassThrottled, provider.ClassServer, provider.ClassUnreachable, provider.ClassTimeout:
		return ExitUnreachable
	case provider.ClassTLS:
		return ExitTLS
	case provider.ClassDigest, provider.ClassSignature:
		return ExitDigest
	case provider.ClassForbidden:
		return ExitForbidden
	case provider.ClassInvalid:
		return ExitUsage
	}
	return ExitFailed
}

// Code returns the exit code of any error but the end of the caller's own context.
func Code(err error) int {
	if err == nil {
		return ExitOK
	}
	if _, ok := errors.AsType[*Usage](err); ok {
		return ExitUsage
	}
	if _, ok := errors.AsType[*sources.SpecError](err); ok {
		return ExitUsage
	}
	if _, ok := errors.AsType[*signatures.UsageError](err); ok {
		return ExitUsage
	}
	if f, ok := errors.AsType[*Lookup](err); ok {
		return f.Code
	}
	return classCode(provider.ClassOf(err))
}

// AttemptsCode returns the code of attempts to find image, [ExitOK] where none failed.
func AttemptsCode(image imageref.Ref, attempts []provider.Attempt) int {
	if !slices.ContainsFunc(attempts, func(at provider.Attempt) bool { return at.Err != nil }) {
		return ExitOK
	}
	return classCode((&chain.Error{Image: image, Attempts: attempts}).Class())
}
