package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http/httptrace"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// verbosef tells on stderr what -v asks for.
func (a *app) verbosef(format string, args ...any) {
	if a.opts.verbose {
		a.tellLine("- ", format, args...)
	}
}

// observer has -v tell of a chain's events. Events hold nothing secret.
func (a *app) observer() chain.Observer {
	return chain.ObserverFunc(func(_ context.Context, e chain.Event) {
		switch e.Kind {
		case chain.LookupStarted:
			a.verbosef("looking up %s (rules %.12s)", e.Image, e.Rules)
		case chain.AttemptDone:
			if e.Err != nil {
				a.verbosef("%s failed after %s: %s", e.Ref, words.Duration(e.Took), failure.Attempt(e.Ref, e.Err))
			} else {
				a.verbosef("%s answered after %s", e.Ref, words.Duration(e.Took))
			}
		case chain.RetryWaiting:
			a.verbosef("no endpoint is left; asking again in %s", words.Duration(e.Wait))
		}
	})
}

// exchanged has -v tell of a request. It knows no header, no query and no path that a
// server chose.
func (a *app) exchanged(x registry.Exchange) {
	if !a.opts.verbose {
		return
	}
	what := fmt.Sprintf("%s %s://%s%s", x.Method, x.Scheme, x.Host, x.Path)
	answer := "no answer"
	if x.Status != 0 {
		answer = fmt.Sprintf("HTTP %d, %s", x.Status, words.Plural(int(x.Bytes), "byte"))
	}
	if x.Class != provider.ClassUnknown {
		answer += ", " + failure.Class(x.Class)
	}
	a.verbosef("%s: %s in %s", what, answer, words.Duration(x.Took))
}

// traced has -v tell of connections.
func (a *app) traced(ctx context.Context) context.Context {
	if !a.opts.verbose {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
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
