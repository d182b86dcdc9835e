package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// probesAtOnce bounds how many endpoints are asked at the same time.
const probesAtOnce = 8

// probe is what one endpoint said when asked for the manifest.
type probe struct {
	OK         bool   `json:"ok"`
	Digest     string `json:"digest"`
	Class      string `json:"class"`  // "" if OK
	Status     int    `json:"status"` // the HTTP status, 0 where there was none or all was well
	Error      string `json:"error"`
	DurationMS int64  `json:"durationMs"`

	ref  imageref.Ref
	err  error
	took time.Duration
}

func (p *probe) words() string {
	switch {
	case p.OK:
		return fmt.Sprintf("answered in %s: %s", output.Duration(p.took), p.Digest)
	case provider.ClassOf(p.err) == provider.ClassCanceled:
		return fmt.Sprintf("no answer in %s, when it was interrupted", output.Duration(p.took))
	}
	return fmt.Sprintf("failed after %s: %s", output.Duration(p.took), failure.Attempt(p.ref, p.err))
}

// probe asks each candidate of res and notes the answers in e. failed is set where
// none answered; err says that nothing could be asked.
func (a *app) probe(ctx context.Context, p *policies, ref refArg, res policy.Resolution, platform provider.Platform, e *explained) (failed, err error) {
	base, err := a.reader(nil)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	found, err := a.credentials(ctx, res.Candidates)
	if err != nil {
		return nil, err
	}
	stop := a.progress("asking %s", output.Plural(len(res.Candidates), "endpoint"))
	defer stop()
	traced := a.traced(ctx)
	var g errgroup.Group
	g.SetLimit(probesAtOnce)
	for i, c := range res.Candidates {
		x := &probe{ref: c.Ref}
		e.Candidates[i].Head = x
		g.Go(func() error {
			start := time.Now()
			img, err := base.Image(traced, provider.Request{
				Image: c.Ref, Platform: platform, Insecure: c.Insecure, Credentials: found.Credentials, Rules: p.rules,
			})
			x.took = time.Since(start)
			x.DurationMS = x.took.Milliseconds()
			if err != nil {
				x.err, x.Error, x.Class, x.Status = err, err.Error(), provider.ClassOf(err).String(), failure.Status(err)
				return nil
			}
			x.OK, x.Digest = true, img.Digest()
			return nil
		})
	}
	_ = g.Wait() // each probe keeps its own error
	stop()

	var attempts []provider.Attempt
	for _, c := range e.Candidates {
		if c.Head.OK {
			return nil, nil
		}
		attempts = append(attempts, provider.Attempt{Ref: c.Head.ref, Err: c.Head.err, Took: c.Head.took})
	}
	attempts = append(attempts, failure.Refusals(res.Refused)...)
	if errors.Is(ctx.Err(), context.Canceled) { // what is known is printed; a --timeout that ran out is a failure
		return context.Cause(ctx), nil
	}
	return &failure.Lookup{
		Head: fmt.Sprintf("%s: no endpoint answered with it (%s)", e.Image, failure.Asked(attempts, "")), Attempts: attempts,
		Code:  failure.AttemptsCode(res.Normalized, attempts),
		Hints: append(hintsSkipped(p, ref, res), a.advice(ctx, e.Image, found).Hints(attempts, res)...),
	}, nil
}
