package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/explainreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// probesAtOnce bounds how many endpoints are asked at the same time.
const probesAtOnce = 8

// probe asks each candidate of x and notes the answers in e. failed is set where none
// answered; err says that nothing could be asked.
func (a *app) probe(ctx context.Context, p *policies, x policy.Explanation, platform provider.Platform, e *explainreport.Report) (failed, err error) {
	base, err := a.reader(nil)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	found, err := a.credentials(ctx, x.Candidates)
	if err != nil {
		return nil, err
	}
	stop := a.progress("asking %s", words.Plural(len(x.Candidates), "endpoint"))
	defer stop()
	traced := a.traced(ctx)
	var g errgroup.Group
	g.SetLimit(probesAtOnce)
	for i, c := range x.Candidates {
		g.Go(func() error {
			start := time.Now()
			img, err := base.Image(traced, provider.Request{
				Image: c.Ref, Platform: platform, Insecure: c.Insecure, Credentials: found.Credentials, Rules: p.rules,
			})
			digest := ""
			if err == nil {
				digest = img.Digest()
			}
			e.Candidates[i].Probe = explainreport.NewProbe(provider.Attempt{Ref: c.Ref, Err: outOfTime(ctx, c.Ref, err), Took: time.Since(start)}, digest)
			return nil
		})
	}
	_ = g.Wait() // each probe keeps its own error
	stop()
	if errors.Is(ctx.Err(), context.Canceled) { // a --timeout that ran out is a failure of the endpoints
		return context.Cause(ctx), nil
	}

	var attempts []provider.Attempt
	for _, c := range e.Candidates {
		if c.Probe.OK {
			return nil, nil
		}
		attempts = append(attempts, c.Probe.Attempt)
	}
	attempts = append(attempts, failure.Refusals(x.Refused)...)
	return &failure.Lookup{
		Head: fmt.Sprintf("%s: no endpoint answered with it (%s)", e.Image, failure.Asked(attempts, "")), Attempts: attempts,
		Code:  failure.AttemptsCode(x.Normalized, attempts),
		Hints: append(notices.Hints(x), a.advice(e.Image, found).Hints(attempts, x.Resolution)...),
	}, nil
}
