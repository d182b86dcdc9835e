package chain

import (
	"cmp"
	"context"

	"github.com/mirrorchain/mirrorchain/chain/internal/failover"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Mirrors returns the layer "mirrors". It asks the candidates that the rules name for
// the image of the request, in their order, until one of them answers with a complete
// and verified release. When one fails, for whatever reason, the next one is asked, and
// the failure is recorded in the Attempts of the release. An error that is
// [provider.Error].Final ends the lookup instead. If the request has a
// [provider.Verifier] that refuses an answer, this is such a failure.
//
// # Hedges
//
// A lookup by digest waits only a short time for a silent mirror. If a mirror has not
// begun to answer after the hedge delay (HedgeUnknown, HedgeKnown), the next mirror is
// asked as well: this is a hedge. The first complete and verified release counts, and the
// other attempts are given up. A mirror that has begun to answer is waited for. A lookup
// by tag asks one mirror after another, because two mirrors may hold different images
// under one tag.
//
// # Hosts that failed
//
// A mirror on a host that failed is asked after the healthy ones, see package
// [github.com/mirrorchain/mirrorchain/chain/health]. It is never left out. A mirror does
// not change places with the source, nor with mirrors on the other side of it.
//
// From time to time such a mirror is also asked in the background, at the same time as the
// first healthy one. This is a probe. No caller waits for it, but a lookup by digest uses
// its answer if that comes first.
//
// If no mirror is healthy, one on a failed host is asked first. It may be silent only for
// the hedge delay while other candidates follow, so a single mirror that is down does not
// delay each lookup. It gets its full time when its host is unhealthy and due for a
// probe, and when no other candidate has answered.
//
// The source keeps its place. It is asked when all mirrors before it have failed, never
// at the same time as a mirror. So a silent mirror that only the source follows is waited
// for, until a limit of the base provider ends the attempt. Mirrors after the source, if
// the policy has any, are asked when the source has failed.
//
// # Time
//
// The time until the caller's deadline is divided among the candidates that are left,
// so that none uses up the time of those after it. When all candidates have failed,
// endpoints that answered 429 or 5xx are asked again, with growing delays, as long as
// the delay fits into that time.
//
// If all candidates fail, the error is an [*Error] that lists every attempt and every
// endpoint that policy blocks. The lookup ends at once when the caller's context ends,
// and when the base returns an error of [provider.ClassInvalid]: an invalid request is
// invalid everywhere.
//
// Only candidates are contacted. With NeverContactSource the source is no candidate.
//
// When a lookup returns, all its attempts have ended. Two things may go on. A probe without
// an answer goes on for about a second. A [Store] below goes on reading for other callers.
//
// Mirrors belongs below Cache, so that a warm lookup computes no candidates, and above
// Store, whose access grants are per endpoint.
func Mirrors(cfg MirrorsConfig) Layer {
	return layer("mirrors", []string{"store"}, func(o Observer) Middleware {
		e := newEngine(cfg, o)
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			return &mirrors{engine: e, next: next, kept: keptBy(next)}, nil
		}
	})
}

type mirrors struct {
	*engine
	next provider.ReleaseProvider
	kept kept
}

func (m *mirrors) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	cands, err := candidates(&req)
	if err != nil {
		return nil, err
	}
	a, err := run(ctx, m.engine, failover.Query[*provider.Release]{
		Request: req, Ask: m.ask(req.Image), Limit: m.attempt, ByDigest: req.Image.Digest() != "",
	}, cands)
	if err != nil {
		return nil, err
	}
	answer := a.Value.Answer() // Stale and the index are those of the endpoint's answer
	answer.Image, answer.PulledFrom, answer.Attempts = req.Image, a.From.Ref, a.Attempts
	return a.Value.WithAnswer(answer), nil
}

// ask returns what asks one endpoint for image, and has the answer judged.
func (m *mirrors) ask(image imageref.Ref) func(context.Context, provider.Request) (*provider.Release, error) {
	return func(ctx context.Context, req provider.Request) (*provider.Release, error) {
		r, err := m.next.Lookup(ctx, req)
		if err != nil || req.Verifier == nil {
			return r, err
		}
		s, err := m.verdict(ctx, &req, provider.Served{
			Image: image, Digest: r.Digest(), Named: cmp.Or(r.IndexDigest(), r.Digest()), Release: true,
		})
		if err != nil {
			return nil, err
		}
		answer := r.Answer()
		answer.Signatures = s
		return r.WithAnswer(answer), nil
	}
}

// Unwrap returns the provider below. See [provider.As].
func (m *mirrors) Unwrap() provider.ReleaseProvider { return m.next }

// Restore forwards [provider.Restorer]: content on disk belongs to no endpoint.
func (m *mirrors) Restore(ctx context.Context, req provider.Request, digest string, platform provider.Platform) (*provider.Release, error) {
	return m.kept.restore(ctx, req, contentKey{digest, platform})
}
