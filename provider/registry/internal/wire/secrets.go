package wire

import (
	"context"
	"errors"
	"net/url"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Repeats reports whether s holds one of secrets, as it is or escaped, in
// whatever case and with or without base64's padding.
func Repeats(s string, secrets ...string) bool {
	s = strings.ToLower(s)
	for _, secret := range secrets {
		secret = strings.TrimRight(secret, "=")
		if secret == "" {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			if strings.Contains(s, strings.ToLower(form)) {
				return true
			}
		}
	}
	return false
}

// Withhold returns err, or where its text or that of anything in it repeats a secret,
// an error that says as much as can be said. A server chooses host names and
// messages, and errors quote them.
func Withhold(err error, secrets ...string) error {
	if !anyRepeats(err, secrets) {
		return err
	}
	e := &provider.Error{Err: errors.New("details are withheld: they repeat a secret")}
	if full, ok := errors.AsType[*provider.Error](err); ok {
		e.Class, e.Status, e.RetryAfter, e.Elsewhere = full.Class, full.Status, full.RetryAfter, full.Elsewhere
	}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, end) {
			e.Err = end
		}
	}
	return e
}

func anyRepeats(err error, secrets []string) bool {
	if err == nil {
		return false
	}
	if Repeats(err.Error(), secrets...) {
		return true
	}
	switch u := err.(type) {
	case interface{ Unwrap() error }:
		return anyRepeats(u.Unwrap(), secrets)
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			if anyRepeats(e, secrets) {
				return true
			}
		}
	}
	return false
}
