package registry

import (
	"context"
	"io"

	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// decoders are turns at the processor: unpacking more layers at once than there
// are processors makes each of them later and none earlier.
type decoders chan struct{}

// decoderSlot is the place of one decoder in the queue. It is for one goroutine.
type decoderSlot struct {
	of   decoders
	held bool
}

func (t *decoderSlot) take(ctx context.Context) error {
	if t.held {
		return nil
	}
	select {
	case t.of <- struct{}{}:
		t.held = true
		return nil
	case <-ctx.Done():
		return wire.ContextError(ctx)
	}
}

func (t *decoderSlot) leave() {
	if t.held {
		t.held = false
		<-t.of
	}
}

// yieldingReader gives the slot back while it waits for bytes. So a mirror that hangs in
// the middle of a layer keeps no other layer from being unpacked.
type yieldingReader struct {
	ctx         context.Context
	from        io.Reader
	decoderSlot *decoderSlot
}

func (p yieldingReader) Read(b []byte) (int, error) {
	p.decoderSlot.leave()
	n, err := p.from.Read(b)
	if e := p.decoderSlot.take(p.ctx); e != nil && n == 0 && err == nil {
		return 0, e
	}
	return n, err
}
