package main

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
)

// verbosef says on stderr what -v asks for.
func (a *app) verbosef(format string, args ...any) {
	if a.opts.verbose {
		a.tell("- "+format, args...)
	}
}

// observer tells -v of a chain's events. Events hold nothing secret.
func (a *app) observer() chain.Observer {
	return chain.ObserverFunc(func(_ context.Context, e chain.Event) {
		switch e.Kind {
		case chain.LookupStarted:
			a.verbosef("looking up %s (rules %.12s)", e.Image, e.Rules)
		case chain.AttemptDone:
			if e.Err != nil {
				a.verbosef("%s failed after %s: %s", e.Ref, round(e.Took), sayAttempt(e.Ref, e.Err))
			} else {
				a.verbosef("%s answered after %s", e.Ref, round(e.Took))
			}
		case chain.RetryWaiting:
			a.verbosef("no endpoint is left; asking again in %s", round(e.Wait))
		}
	})
}

// traced has -v tell of connections and requests. Nothing of a request but its
// host is known here, and so nothing secret can be told.
func (a *app) traced(ctx context.Context) context.Context {
	if !a.opts.verbose {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(hostPort string) { a.verbosef("request to %s", hostPort) },
		ConnectDone: func(_, addr string, err error) {
			if err == nil {
				a.verbosef("connected to %s", addr)
			}
		},
		TLSHandshakeDone: func(s tls.ConnectionState, err error) {
			if err == nil {
				a.verbosef("%s, %s", tls.VersionName(s.Version), s.NegotiatedProtocol)
			}
		},
	})
}

// round is a duration for people.
func round(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
