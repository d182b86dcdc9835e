package kubeclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/mirrorchain/mirrorchain/provider"
)

// explain says what failed, and what to do where we know it. Failures have a class,
// so that programs can tell a cluster that is away from one that forbids.
func (c *Client) explain(doing string, err error) error {
	op := fmt.Sprintf("%s %s", doing, c.resource.GroupResource())
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", op, err)
	}
	class, status := classify(err)
	if class == provider.ClassUnauthorized {
		err = fmt.Errorf("%w; allow get, list and watch", err)
	}
	return &provider.Error{Op: op, Class: class, Status: status, Err: err}
}

// classify sorts what client-go says.
func classify(err error) (class provider.Class, status int) {
	if said := apierrors.APIStatus(nil); errors.As(err, &said) {
		status = int(said.Status().Code)
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return provider.ClassUnauthorized, status
	case status == http.StatusTooManyRequests:
		return provider.ClassThrottled, status
	case status >= 500:
		return provider.ClassServer, status
	case status != 0:
		return provider.ClassUnknown, status
	}
	if is[*tls.CertificateVerificationError](err) || is[x509.UnknownAuthorityError](err) || is[x509.HostnameError](err) ||
		is[x509.CertificateInvalidError](err) || is[tls.RecordHeaderError](err) || is[tls.AlertError](err) {
		return provider.ClassTLS, 0
	}
	if is[net.Error](err) { // a *url.Error is one
		return provider.ClassUnreachable, 0
	}
	return provider.ClassUnknown, 0
}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
