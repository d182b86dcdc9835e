package wire

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/mirrorchain/mirrorchain/provider"
)

// explain turns what an exchange failed with into an error of the right class.
// The caller's context comes first: whatever the transport made of its end, the
// caller's end is what happened. Its deadline is a Timeout that wraps
// [context.DeadlineExceeded]; a limit of ours is one that does not.
func (w *watchdog) explain(err error) error {
	if e := ContextError(w.parent); e != nil {
		return e
	}
	if limit, ok := errors.AsType[*limitError](context.Cause(w.ctx)); ok {
		return &provider.Error{Class: provider.ClassTimeout, Err: limit}
	}
	return Classify(err)
}

// ContextError returns the error of a caller's context that has ended, nil while it
// has not.
func ContextError(ctx context.Context) error {
	switch ctx.Err() {
	case nil:
		return nil
	case context.DeadlineExceeded:
		return &provider.Error{Class: provider.ClassTimeout, Err: context.DeadlineExceeded}
	}
	return &provider.Error{Class: provider.ClassCanceled, Err: context.Canceled}
}

// Classify sorts an error of the network or of TLS.
func Classify(err error) *provider.Error {
	e := &provider.Error{Class: provider.ClassUnreachable, Err: Clean(err)}
	switch refused, ok := errors.AsType[*refusedNetwork](err); {
	case ok:
		e.Class, e.Err = provider.ClassForbidden, refused
	case isPlain(err):
		e.Class = provider.ClassTLS
		e.Err = &text{"it speaks plain HTTP where https is wanted; a policy must call it insecure first", err}
	case isTLS(err):
		e.Class = provider.ClassTLS
	case isTimeout(err):
		e.Class = provider.ClassTimeout
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		e.Err = &text{"the connection was cut off", err}
	}
	return e
}

func isPlain(err error) bool {
	r, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok && string(r.RecordHeader[:]) == "HTTP/" || errors.Is(err, http.ErrSchemeMismatch)
}

func isTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	// crypto/tls wraps alerts, a wanted client certificate among them, like this.
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "remote error" || op.Op == "local error")
}

func isTimeout(err error) bool {
	n, ok := errors.AsType[net.Error](err)
	return ok && n.Timeout()
}

// withoutCertificate makes what it is of a connection that broke after the server
// had asked for a client certificate in vain. In TLS 1.3 it says so only when we
// have begun to write, and then its word may get lost.
func withoutCertificate(err error) error {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Class != provider.ClassUnreachable && e.Class != provider.ClassTLS {
		return err
	}
	return &provider.Error{Class: provider.ClassTLS, Err: &text{"it asks for a client certificate, and there is none for it: " + e.Err.Error(), e.Err}}
}

// forWantOf adds to a failure of TLS which certificates could not be read.
func forWantOf(unread string, err error) error {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok || e.Class != provider.ClassTLS {
		return err
	}
	c := *e
	c.Err = &text{e.Err.Error() + " (not read: " + unread + ")", e.Err}
	return &c
}

// hidden returns err without how the host could not be reached.
func hidden(err error) error {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok {
		return err
	}
	switch e.Class {
	case provider.ClassUnreachable, provider.ClassTimeout, provider.ClassTLS, provider.ClassForbidden:
		return &provider.Error{Class: provider.ClassUnreachable, Elsewhere: true, Err: errHidden}
	}
	return err
}

var errHidden = errors.New("the registry leads to this host, and it cannot be reached from here")

// elsewhere returns err as that of another host than the registry.
func elsewhere(err error) error {
	e, ok := errors.AsType[*provider.Error](err)
	if !ok {
		return err
	}
	c := *e
	c.Elsewhere = true
	return &c
}
