package wire

import (
	"bytes"
	"mime"
	"net/http"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// isPage reports whether a body is a web page. A registry sends JSON and blobs. What
// begins like JSON is never taken for a page, since some servers give a wrong type.
func isPage(contentType string, body []byte) bool {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(body) > 0 && body[0] == '{' {
		return false
	}
	switch kind, _, _ := mime.ParseMediaType(contentType); kind {
	case "text/html", "application/xhtml+xml":
		return true
	}
	start := strings.ToLower(string(body[:min(len(body), 16)]))
	return strings.HasPrefix(start, "<!doctype html") || strings.HasPrefix(start, "<html")
}

// Page returns the error for a body that is a web page, nil for any other: a portal that
// wants a login, or the page of a proxy that forbids the address. It says nothing of
// the image and nothing of the credentials, since it is not the registry that answers.
// body may be the beginning of the body alone.
func (r *Response) Page(body []byte) error {
	if !isPage(r.Header.Get("Content-Type"), body) {
		return nil
	}
	return &provider.Error{Class: provider.ClassUnreachable, Status: r.Status, Elsewhere: r.elsewhere, Err: pageError(r.Host)}
}

type pageError string

func (e pageError) Error() string {
	return "a web page from " + string(e) + ", and no answer of a registry; is there a login page or a proxy in between?"
}

// statusOfPage corrects e where the body of an answer is a web page.
func (r *Response) statusOfPage(e *provider.Error, body []byte) {
	if r.Status == http.StatusUnauthorized || !isPage(r.Header.Get("Content-Type"), body) {
		return // many servers say 401 with a page, and mean it
	}
	e.Err = pageError(r.Host)
	switch r.Status {
	case http.StatusOK, http.StatusForbidden:
		// A registry says in JSON that somebody may not read something.
		e.Class = provider.ClassUnreachable
	}
}
