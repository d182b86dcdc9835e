package registry

import (
	"context"
	"io"

	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// slots bound how much is done at once: large manifests, see [readManifest], and layers that
// are unpacked. Unpacking more layers at once than there are processors makes each of them
// later and none earlier.
type slots chan struct{}

// slot is one place of slots. It is taken when it is needed, and is for one goroutine.
type slot struct {
	of    slots
	taken bool
}

func (s slots) slot() *slot { return &slot{of: s} }

func (s *slot) take(ctx context.Context) error {
	if s.taken {
		return nil
	}
	select {
	case s.of <- struct{}{}:
		s.taken = true
		return nil
	case <-ctx.Done():
		return wire.ContextError(ctx)
	}
}

func (s *slot) leave() {
	if s.taken {
		s.taken = false
		<-s.of
	}
}

// yieldingReader gives the slot back while it waits for bytes. So a mirror that hangs in
// the middle of a layer keeps no other layer from being unpacked.
type yieldingReader struct {
	ctx  context.Context
	from io.Reader
	slot *slot
}

func (r yieldingReader) Read(b []byte) (int, error) {
	r.slot.leave()
	n, err := r.from.Read(b)
	if e := r.slot.take(r.ctx); e != nil && n == 0 && err == nil {
		return 0, e
	}
	return n, err
}
