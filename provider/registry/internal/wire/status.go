package wire

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// StatusError returns the error for an answer that is not what was asked for. It
// quotes what the server says, within bounds, unless that repeats one of the
// secrets that the request held. r is closed.
func StatusError(r *Response, secrets ...string) *provider.Error {
	e := &provider.Error{Class: classOf(r.Status), Status: r.Status, Elsewhere: r.elsewhere}
	if e.Class == provider.ClassThrottled || e.Class == provider.ClassServer {
		e.RetryAfter = retryAfter(r.Header.Get("Retry-After"), time.Now())
	}
	// Whatever cannot be read does not matter: the status says enough.
	r.watch.enterFor(reading, min(drainTime, r.watch.limits.Silence))
	body, _ := io.ReadAll(io.LimitReader(r, maxDrain))
	if plain, ok := r.Unzip(body, maxDrain); ok {
		body = plain
	}
	said := message(r.Header.Get("Content-Type"), body)
	r.Close()
	r.statusOfPage(e, body)
	if said != "" {
		if Repeats(said, secrets...) {
			said = "(the server's message is withheld: it repeats a secret)"
		}
		e.Err = errors.New(said)
	}
	return e
}

// Status returns the error for an answer of a host that a server chose. Of that host
// nothing is quoted: who chose it could have us read to them, in an error, what is
// for our eyes alone. r is closed.
func Status(r *Response) *provider.Error {
	e := &provider.Error{Class: classOf(r.Status), Status: r.Status, Elsewhere: r.elsewhere}
	if e.Class == provider.ClassThrottled || e.Class == provider.ClassServer {
		e.RetryAfter = retryAfter(r.Header.Get("Retry-After"), time.Now())
	}
	r.Close()
	return e
}

func classOf(status int) provider.Class {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		return provider.ClassUnauthorized
	case status == http.StatusNotFound, status == http.StatusGone:
		return provider.ClassNotFound
	case status == http.StatusTooManyRequests:
		return provider.ClassThrottled
	case status == http.StatusNetworkAuthenticationRequired:
		// The network wants a login (RFC 6585, 6): asking again does not help.
		return provider.ClassUnreachable
	case status >= 500:
		return provider.ClassServer
	}
	return provider.ClassUnknown
}

// message returns what a registry says in an error body (distribution-spec, "Error
// codes"), a token realm in OAuth 2's words, a gateway in its own or in those of RFC 9457,
// or anybody in plain text.
func message(contentType string, body []byte) string {
	var doc struct {
		Errors      saidErrors `json:"errors"`
		Error       saidError  `json:"error"`
		Description saidText   `json:"error_description"`
		Details     saidText   `json:"details"`
		Message     saidText   `json:"message"`
		Title       saidText   `json:"title"`
		Detail      saidText   `json:"detail"`
	}
	if json.Unmarshal(body, &doc) == nil {
		var all []string
		for _, e := range doc.Errors {
			all = append(all, join(spoken(string(e.Code)), string(e.Message)))
		}
		if len(all) == 0 {
			code, message := cmp.Or(doc.Error.Code, doc.Title), cmp.Or(doc.Error.Message, doc.Description, doc.Details, doc.Message, doc.Detail)
			all = append(all, join(string(code), string(message)))
		}
		return CleanText(strings.Join(all, "; "))
	}
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == "text/plain" {
		return CleanText(string(body))
	}
	return ""
}

// saidText is a string. What is something else in its place says nothing, and the rest of the
// body may say enough.
type saidText string

func (t *saidText) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = saidText(s)
	}
	return nil
}

// saidError is an error, written as an object or as one string.
type saidError struct {
	Code    saidText `json:"code"`
	Message saidText `json:"message"`
}

func (e *saidError) UnmarshalJSON(b []byte) error {
	type object saidError
	if json.Unmarshal(b, (*object)(e)) != nil {
		return e.Code.UnmarshalJSON(b)
	}
	return nil
}

// saidErrors are several, or one without a list around it.
type saidErrors []saidError

func (l *saidErrors) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]saidError)(l))
	}
	var e saidError
	if err := json.Unmarshal(b, &e); err == nil && e != (saidError{}) {
		*l = saidErrors{e}
	}
	return nil
}

// spoken returns the code of an error as docker/distribution says it ("MANIFEST_UNKNOWN" is
// "manifest unknown"), and with it whatever is built on that: programs look for these
// words.
func spoken(code string) string { return strings.ToLower(strings.ReplaceAll(code, "_", " ")) }

func join(code, message string) string {
	if code == "" || message == "" || strings.EqualFold(code, message) {
		return cmp.Or(message, code)
	}
	return code + ": " + message
}

// retryAfter reads a Retry-After header (RFC 9110, 10.2.3): seconds or a date.
func retryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
