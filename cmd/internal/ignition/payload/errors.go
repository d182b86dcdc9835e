package payload

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/process"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Reasons that a token secret states; these are all that HyperShift reads.
const (
	ReasonAsExpected         = "AsExpected"
	ReasonInvalidConfig      = "InvalidConfig"
	ReasonCloudConfigPending = "CloudConfigPending"
)

// Error is why there is no payload.
type Error struct {
	// Reason is what to write to the token secret.
	Reason string
	// Step is what was being done: "running machine-config-operator", "" if nothing was.
	Step string
	// Missing are component images that the release lacks, if that is why.
	Missing []string
	// Output is the end of what the program of that step printed, without the secrets
	// it was given.
	Output string
	Err    error

	dir string // the work directory, another one each time
}

// Error returns everything that is known, for a log.
func (e *Error) Error() string {
	s := e.Err.Error()
	if e.Step != "" {
		s = e.Step + ": " + s
	}
	if e.Output != "" {
		s += ": it printed: " + e.Output
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Report returns what a token secret says about the outcome: reason and message. Two
// failures of one cause have one message, whatever differs from one try to the next
// (digests, ports, times, directories), so that nothing is written twice
// (OCPBUGS-42320). Messages are short; logs have the rest.
func Report(err error) (reason, message string) {
	if err == nil {
		return ReasonAsExpected, ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = &Error{Reason: ReasonInvalidConfig, Err: err}
	}
	message = stableCause(e)
	if e.Step != "" {
		message = e.Step + ": " + message
	}
	if len(message) > maxMessage {
		message = strings.ToValidUTF8(message[:maxMessage], "") + "..."
	}
	return e.Reason, message
}

const maxMessage = 1024

func stableCause(e *Error) string {
	if c, ok := errors.AsType[*chain.Error](e.Err); ok {
		if s := stableAttempts(c); s != "" {
			return s
		}
	}
	s := e.Err.Error()
	if e.dir != "" {
		s = strings.ReplaceAll(s, e.dir, "")
	}
	s = stable(s)
	if last := lastWord(e.Output); last != "" {
		s += ": " + stable(last)
	}
	return s
}

// stableAttempts names endpoints by repository and failures by class, sorted, since the
// order of the attempts and the exact words of an endpoint may change each time. What was
// found wrong with verified content, or with a certificate, is said as well: it is the
// same each time, and nobody can mend it without knowing it. The result is empty where no
// endpoint was asked.
func stableAttempts(c *chain.Error) string {
	var parts []string
	for _, a := range c.Attempts {
		if a.Err == nil {
			continue
		}
		part := a.Ref.Name() + ": " + provider.ClassOf(a.Err).String()
		if cause := lastingCause(a.Err); cause != "" {
			part += " (" + stable(cause) + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 { // policy leaves no endpoint, or the caller gave up
		return ""
	}
	slices.Sort(parts)
	name := c.Image.Name()
	if t := c.Image.Tag(); t != "" {
		name += ":" + t
	}
	return fmt.Sprintf("no endpoint has %s: %s", name, strings.Join(slices.Compact(parts), ", "))
}

// lastingCause returns the cause of an error that another try does not change, "" for
// others.
func lastingCause(err error) string {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Err == nil {
		return ""
	}
	switch e.Class {
	case provider.ClassLimit, provider.ClassMalformed, provider.ClassTLS:
		return e.Err.Error()
	case provider.ClassSignature: // of which kind stands in Op alone
		return e.Op + ": " + e.Err.Error()
	}
	return ""
}

// What differs from one try to the next, and what to write instead.
var unstable = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(^|: )sha(?:256|512):[0-9a-f]{64,128}: `), "$1"}, // all that a part says
	{regexp.MustCompile(`[@ ]?sha(?:256|512):[0-9a-f]{64,128}`), ""},
	{regexp.MustCompile(`\b(read|write) (tcp|udp)[46]? \S+->`), "$1 $2 "},
	{regexp.MustCompile(`^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ (?:\S+\] )?`), ""},                          // klog
	{regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?`), "TIME"},  // log, RFC 3339
	{regexp.MustCompile(`(^|[\s"(/])(localhost|127\.0\.0\.1|\[::1?\]|0\.0\.0\.0)?:\d{4,5}\b`), "$1$2:PORT"}, // free ones, not a mirror's
	{regexp.MustCompile(`\bpid[ =:]\d+`), "pid"},
	{regexp.MustCompile(`\b0x[0-9a-f]+\b`), "0x"},
}

func stable(s string) string {
	for _, u := range unstable {
		s = u.what.ReplaceAllString(s, u.with)
	}
	return strings.Join(strings.Fields(s), " ")
}

// fatal matches the line with which a Go program begins to say why it ends, or why it
// answers nothing; stack is where it has said so.
var (
	fatal = regexp.MustCompile(`(?m)^(?:F\d{4} \d\d:|panic: |fatal error: |.*http: panic serving )`)
	stack = regexp.MustCompile(`(?m)^goroutine \d+ `)
)

// lastWord returns what of a program's output says why it failed: the last fatal message, or
// else the last line.
func lastWord(output string) string {
	output = strings.TrimSpace(output)
	at := strings.LastIndexByte(output, '\n') + 1
	if all := fatal.FindAllStringIndex(output, -1); len(all) > 0 {
		at = all[len(all)-1][0]
	}
	output = output[at:]
	if end := stack.FindStringIndex(output); end != nil && end[0] > 0 {
		output = output[:end[0]]
	}
	return strings.TrimSpace(output)
}

// at adds the step in which err happened.
func at(step string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := err.(*Error); ok { // only our own, not what it wraps
		if e.Step == "" {
			e.Step = step
		}
		return e
	}
	return &Error{Reason: ReasonInvalidConfig, Step: step, Err: err}
}

// ran adds to the error of a program its output without secrets.
func (w *work) ran(step string, err error) error {
	if err == nil {
		return nil
	}
	out := &Error{Reason: ReasonInvalidConfig, Step: step, Err: err}
	if e, ok := errors.AsType[*process.Error](err); ok {
		out.Output = w.publicOutput(e.Output)
	}
	return out
}

// publicOutput returns the end of output, without secrets and without the name of the
// work directory, which is different each time.
func (w *work) publicOutput(output string) string {
	return strings.ReplaceAll(w.secrets.end(strings.TrimPrefix(output, process.Cut)), w.path, "")
}
