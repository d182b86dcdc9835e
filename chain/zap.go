package chain

import (
	"context"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/mirrorchain/mirrorchain/provider"
)

// ZapObserver returns an observer that logs events. Panics are errors; failed lookups,
// stale answers, unhealthy hosts and refused signatures are warnings; failed attempts, retries and hosts that
// recovered are at info; the rest is at debug. A level that is off costs nothing. Events
// contain nothing secret. A nil log is silent.
func ZapObserver(log *zap.Logger) Observer {
	if log == nil {
		log = zap.NewNop()
	}
	return zapObserver{log}
}

type zapObserver struct{ log *zap.Logger }

func (z zapObserver) Observe(_ context.Context, e Event) {
	ce := z.log.Check(levelOf(&e), e.Kind.String())
	if ce == nil {
		return
	}
	fields := make([]zap.Field, 0, 8)
	fields = append(fields, zap.Stringer("image", e.Image))
	if !e.Ref.IsZero() {
		fields = append(fields, zap.Stringer("endpoint", e.Ref))
	}
	if e.Rules != "" {
		fields = append(fields, zap.String("rules", e.Rules))
	}
	if e.Took != 0 {
		fields = append(fields, zap.Duration("took", e.Took))
	}
	if e.Wait != 0 {
		fields = append(fields, zap.Duration("wait", e.Wait))
	}
	if e.Credential != provider.CredentialTenant {
		fields = append(fields, zap.Stringer("credential", e.Credential))
	}
	if e.Release != nil {
		fields = append(fields,
			zap.Stringer("pulledFrom", e.Release.PulledFrom()),
			zap.String("version", e.Release.Version()),
			zap.Bool("stale", e.Release.Stale()))
	}
	if e.Err != nil {
		fields = append(fields, zap.String("class", provider.ClassOf(e.Err).String()), zap.Error(e.Err))
		if p, ok := e.Err.(*PanicError); ok {
			fields = append(fields, zap.ByteString("stack", p.Stack))
		}
	}
	ce.Write(fields...)
}

func levelOf(e *Event) zapcore.Level {
	switch e.Kind {
	case LookupDone:
		if e.Err != nil && provider.ClassOf(e.Err) != provider.ClassCanceled {
			return zapcore.WarnLevel
		}
	case Panicked:
		return zapcore.ErrorLevel
	case CacheStale, HostUnhealthy, SignatureRefused:
		return zapcore.WarnLevel
	case AttemptDone:
		if e.Err != nil {
			return zapcore.InfoLevel
		}
	case RetryWaiting, HostHealthy:
		return zapcore.InfoLevel
	}
	return zapcore.DebugLevel
}
