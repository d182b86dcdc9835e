package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// Manifests have a few kilobytes. Many large ones at once are somebody's attempt on the
// memory of a program that serves others too, so of those only so many are read and
// decoded at a time, each for so long. Afterwards only their descriptors are kept.
const (
	largeManifest = 256 << 10
	manifestSlots = 16
	slotTime      = 30 * time.Second
)

// readManifest reads a body of at most limit bytes. A large one takes a slot.
func readManifest(ctx context.Context, resp *wire.Response, limit int64, s *slot) ([]byte, error) {
	exceeded := func() error {
		return fail(provider.ClassLimit, fmt.Errorf("a manifest of more than %d bytes", limit))
	}
	if resp.Size > limit {
		return nil, exceeded()
	}
	var body bytes.Buffer
	n, err := io.Copy(&body, io.LimitReader(resp, min(limit+1, largeManifest)))
	if err == nil && n == largeManifest {
		if err := s.take(ctx); err != nil {
			return nil, err
		}
		defer resp.Within(slotTime)()
		_, err = io.Copy(&body, io.LimitReader(resp, limit+1-n))
	}
	switch {
	case err != nil:
		return nil, cutOff(err, "%d bytes", body.Len())
	case int64(body.Len()) > limit:
		return nil, exceeded()
	}
	return body.Bytes(), nil
}
