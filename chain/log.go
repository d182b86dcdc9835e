package chain

import (
	"context"
	"log/slog"

	"github.com/mirrorchain/mirrorchain/provider"
)

// LogObserver returns an observer that logs events. Panics are errors; failed lookups,
// stale answers, unhealthy hosts and refused signatures are warnings; failed attempts, retries and hosts that
// recovered are at info; the rest is at debug. A level that is off costs nothing. Events
// contain nothing secret. A nil log is silent.
func LogObserver(log *slog.Logger) Observer {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return logObserver{log}
}

type logObserver struct{ log *slog.Logger }

func (o logObserver) Observe(ctx context.Context, e Event) {
	level := levelOf(&e)
	if !o.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 8)
	attrs = append(attrs, slog.String("image", e.Image.String()))
	if !e.Ref.IsZero() {
		attrs = append(attrs, slog.String("endpoint", e.Ref.String()))
	}
	if e.Rules != "" {
		attrs = append(attrs, slog.String("rules", e.Rules))
	}
	if e.Took != 0 {
		attrs = append(attrs, slog.Duration("took", e.Took))
	}
	if e.Wait != 0 {
		attrs = append(attrs, slog.Duration("wait", e.Wait))
	}
	if e.Credential != provider.CredentialTenant {
		attrs = append(attrs, slog.String("credential", e.Credential.String()))
	}
	if e.Release != nil {
		attrs = append(attrs,
			slog.String("pulledFrom", e.Release.PulledFrom().String()),
			slog.String("version", e.Release.Version()),
			slog.Bool("stale", e.Release.Stale()))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("class", provider.ClassOf(e.Err).String()), slog.Any("error", e.Err))
		if p, ok := e.Err.(*PanicError); ok {
			attrs = append(attrs, slog.String("stack", string(p.Stack)))
		}
	}
	o.log.LogAttrs(ctx, level, e.Kind.String(), attrs...)
}

func levelOf(e *Event) slog.Level {
	switch e.Kind {
	case LookupDone:
		if e.Err != nil && provider.ClassOf(e.Err) != provider.ClassCanceled {
			return slog.LevelWarn
		}
	case Panicked:
		return slog.LevelError
	case CacheStale, HostUnhealthy, SignatureRefused:
		return slog.LevelWarn
	case AttemptDone:
		if e.Err != nil {
			return slog.LevelInfo
		}
	case RetryWaiting, HostHealthy:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
