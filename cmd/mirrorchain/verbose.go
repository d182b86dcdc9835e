package main

import (
	"context"
	"fmt"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
)

// verbosef says on stderr what -v asks for.
func (a *app) verbosef(format string, args ...any) {
	if a.opts.verbose {
		fmt.Fprintf(a.err, "- "+format+"\n", args...)
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
