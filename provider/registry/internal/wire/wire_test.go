package wire

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/mirrorchain/mirrorchain/provider"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 3 ": 3 * time.Second, "-3": 0, "1.5": 0, "soon": 0, "99999999999999999999": 0,
		"Sun, 22 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sunday, 22-Nov-26 12:00:30 GMT": 30 * time.Second,
		"Sun, 22 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestMessage(t *testing.T) {
	for _, tt := range []struct{ contentType, body, want string }{
		{"", `{"errors":[{"code":"DENIED","message":"no"},{"code":"X"}]}`, "denied: no; x"},
		{"", `{"error":"invalid_grant","error_description":"bad"}`, "invalid_grant: bad"},
		{"", `{"details":"incorrect"}`, "incorrect"},
		{"", `{"errors":{"code":"MANIFEST_UNKNOWN","message":"one"},"status":404}`, "manifest unknown: one"},
		{"", `{"errors":[{"code":403,"status":403,"message":"by a policy"}]}`, "by a policy"},
		{"", `{"errors":[{"code":"DENIED","message":{"a":1}},"x"]}`, "denied; x"},
		{"", `{"errors":null,"error":{"code":"Throttled","message":"slow down"}}`, "Throttled: slow down"},
		{"", `{"message":"Your account is suspended","documentation_url":"x"}`, "Your account is suspended"},
		{"application/problem+json", `{"type":"about:blank","title":"Forbidden","status":403,"detail":"from this address"}`, "Forbidden: from this address"},
		{"", `{}`, ""}, {"", ``, ""}, {"", `[]`, ""}, {"", `{"errors":7,"error":true,"message":[]}`, ""},
		{"text/plain; charset=utf-8", "no\r\nsuch \x1b[31mthing", "no  such [31mthing"},
		{"text/html", "<html>", ""},
		{"", `{"errors":[{"message":"` + strings.Repeat("x", 5000) + `"}]}`, strings.Repeat("x", maxText) + "..."},
	} {
		if got := message(tt.contentType, []byte(tt.body)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.body, got, tt.want)
		}
	}
}

func TestRepeats(t *testing.T) {
	for _, tt := range []struct {
		s, secret string
		want      bool
	}{
		{"a b", "", false}, {"the p/w d", "p/w d", true}, {"x=p%2Fw+d", "p/w d", true}, {"x/p%2Fw%20d", "p/w d", true},
		{"yWxzc2U6.invalid", "YWxpc2U6", false}, {"ywxpy2u6cHc.invalid", "YWxpY2U6cHc=", true}, {"nothing", "secret", false},
	} {
		if got := Repeats(tt.s, "other", tt.secret); got != tt.want {
			t.Errorf("%q in %q: %v", tt.secret, tt.s, got)
		}
	}
}

func TestClassify(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want provider.Class
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, provider.ClassUnreachable},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, provider.ClassUnreachable},
		{&net.DNSError{Err: "timeout", IsTimeout: true}, provider.ClassTimeout},
		{io.ErrUnexpectedEOF, provider.ClassUnreachable},
		{errors.New("http2: stream closed"), provider.ClassUnreachable},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, provider.ClassTLS},
		{http.ErrSchemeMismatch, provider.ClassTLS},
	} {
		if e := Classify(tt.err); e.Class != tt.want || !errors.Is(e, tt.err) {
			t.Errorf("%v: %v", tt.err, e.Class)
		}
	}
}

func FuzzCleanText(f *testing.F) {
	f.Add("a\x00b\u202ec\nd\xffé")
	f.Fuzz(func(t *testing.T, s string) {
		got := CleanText(s)
		if len(got) > maxText+3 || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q", got)
		}
	})
}

// The caller's end comes before our own limits, whichever came first.
func TestContextError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if err := ContextError(ctx); err != nil {
		t.Error(err)
	}
	_, w := watch(ctx, Timeouts{time.Hour, time.Hour, time.Hour})
	defer w.end()
	w.bite()
	if err := w.explain(context.Canceled); provider.ClassOf(err) != provider.ClassTimeout || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := w.explain(errors.New("x")); provider.ClassOf(err) != provider.ClassCanceled {
		t.Errorf("got %v", err)
	}
}
