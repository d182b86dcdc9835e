package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

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
	if p.OK {
		return fmt.Sprintf("answered in %s: %s", round(p.took), p.Digest)
	}
	return fmt.Sprintf("failed after %s: %s", round(p.took), sayAttempt(p.ref, p.err))
}

// probe asks each candidate of res and notes the answers in e. failed is set
// where none answered; err is that nothing could be asked.
func (a *app) probe(ctx context.Context, p *policies, res policy.Resolution, platform provider.Platform, e *explained) (failed, err error) {
	base, err := a.registry(nil)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	found, err := a.credentials(ctx, res.Candidates)
	if err != nil {
		return nil, err
	}
	stop := a.progress("asking %s", plural(len(res.Candidates), "endpoint"))
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
				x.err, x.Error, x.Class, x.Status = err, err.Error(), provider.ClassOf(err).String(), statusOf(err)
				return nil
			}
			x.OK, x.Digest = true, img.Digest()
			return nil
		})
	}
	_ = g.Wait() // each probe keeps its own error
	stop()
	if errors.Is(ctx.Err(), context.Canceled) { // interrupted; a --timeout that ran out is a result
		return nil, context.Cause(ctx)
	}

	var attempts []provider.Attempt
	for _, c := range e.Candidates {
		if c.Head.OK {
			return nil, nil
		}
		attempts = append(attempts, provider.Attempt{Ref: c.Head.ref, Err: c.Head.err, Took: c.Head.took})
	}
	attempts = append(attempts, refusedAttempts(res)...)
	return &failedLookup{
		head: fmt.Sprintf("%s: no endpoint answered with it (%s)", e.Image, sayAsked(attempts, "")), attempts: attempts,
		code: attemptsCode(res.Normalized, attempts), hints: a.hints(refArg{Text: e.Image}, attempts, p, res, found),
	}, nil
}
