package wire

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/mirrorchain/mirrorchain/provider"
)

// MaxRedirects is as many as other clients follow.
const MaxRedirects = 10

// IsRedirect reports whether an answer sends the request elsewhere.
func IsRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// Redirect returns the address that r, an answer from at, sends the request to: a http
// or https URL with a host.
func (r *Response) Redirect(at *url.URL) (*url.URL, error) {
	malformed := func(why string) error {
		return &provider.Error{Class: provider.ClassMalformed, Status: r.Status, Elsewhere: r.elsewhere, Err: errors.New(why)}
	}
	location := r.Header.Get("Location")
	if location == "" {
		return nil, malformed("a redirect without a Location")
	}
	to, err := at.Parse(location)
	switch {
	case err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != "http":
		return nil, malformed("a redirect to something that is not an http or https URL")
	case !IsHost(to.Host):
		return nil, malformed("a redirect to an invalid host")
	}
	return to, nil
}
