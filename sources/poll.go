package sources

import (
	"context"
	"time"

	"github.com/mirrorchain/mirrorchain/policy"
)

// DefaultPoll is the interval at which a source that is no [policy.Watcher] is asked.
const DefaultPoll = 30 * time.Second

// Poll returns a [policy.Watcher] for a source that cannot tell when it changes. It
// signals at every interval; an interval of zero or less is DefaultPoll. A source that
// is a Watcher already is returned as it is.
func Poll(src policy.OverrideSource, interval time.Duration) policy.Watcher {
	if w, ok := src.(policy.Watcher); ok {
		return w
	}
	if interval <= 0 {
		interval = DefaultPoll
	}
	return &poller{OverrideSource: src, interval: interval}
}

type poller struct {
	policy.OverrideSource
	interval time.Duration
}

// Watch signals once when it starts, since the source may have changed before,
// and then at every interval. Whether anything changed is for Load to say: a
// signal may come too often.
func (p *poller) Watch(ctx context.Context, changed func()) error {
	ticker := time.NewTicker(p.interval)
	defer ticker.Stop()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		changed()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
