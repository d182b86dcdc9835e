package wire

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Request is one request to a [Host].
type Request struct {
	// Scheme is "https" or "http", or "" for what the host speaks.
	Scheme string
	Path   string // unescaped, with a leading slash
	// RawPath is Path escaped, where how it is escaped matters.
	RawPath string
	Query   string // encoded
	// Accept are media types. Each gets a header line of its own: there are registries
	// that read the first line of the header only, or do not split it.
	Accept []string
	// From asks for the rest of the body, from this byte on; 0 asks for the whole.
	From int64
	// Head makes the request a HEAD: its answer has no body.
	Head bool
	// IfNoneMatch is an entity tag without its quotes, or "": the answer may be 304.
	IfNoneMatch string
	// Form makes the request a POST of an encoded form.
	Form string
	// Authorization is the header's value, or "". It goes over plain HTTP only
	// where PlainAuthorization says so.
	Authorization      string
	PlainAuthorization bool
	// Sent, if not nil, is called when the request has been written.
	Sent func()
	// Chosen says that a server chose the address: a redirect's, or a realm's.
	// Secrets are those that it knows.
	Chosen  bool
	Secrets []string
	// Last says that no other candidate is left: the limits of [Timeouts] choose between
	// several, and do not apply.
	Last bool
	// Elsewhere says that the host is not the registry itself; errors of transport
	// then say so too.
	Elsewhere bool
}

func (h *Host) build(ctx context.Context, scheme string, r Request) *http.Request {
	method := http.MethodGet
	if r.Head {
		method = http.MethodHead
	}
	req := (&http.Request{
		Method: method,
		URL:    &url.URL{Scheme: scheme, Host: h.address, Path: r.Path, RawPath: r.RawPath, RawQuery: r.Query},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		// Without Accept-Encoding any encoding is acceptable (RFC 9110, 12.5.3), and
		// digests are of the bytes without one.
		Header: http.Header{"User-Agent": {h.agent}, "Accept-Encoding": {"identity"}},
		Body:   http.NoBody,
		Host:   h.address,
	}).WithContext(ctx)
	if len(r.Accept) > 0 {
		req.Header["Accept"] = r.Accept
	}
	if r.From > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", r.From))
	}
	if r.IfNoneMatch != "" {
		req.Header.Set("If-None-Match", `"`+r.IfNoneMatch+`"`)
	}
	if r.Authorization != "" && (scheme == "https" || r.PlainAuthorization) {
		req.Header.Set("Authorization", r.Authorization)
	}
	if r.Form != "" {
		req.Method = http.MethodPost
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.ContentLength = int64(len(r.Form))
		req.Body, _ = formBody(r.Form)()
		req.GetBody = formBody(r.Form)
	}
	return req
}

func formBody(form string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(form)), nil }
}
