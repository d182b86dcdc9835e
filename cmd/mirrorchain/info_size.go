package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/progress"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/releaseinfo"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// sizesAtOnce bounds how many manifests are read at the same time.
const sizesAtOnce = 16

// sizes reads the manifests of all images through the mirrors. What could be read is in
// the result beside the error of the first image that could not.
func (l *lookups) sizes(ctx context.Context, rel *provider.Release, platform provider.Platform) (*releaseinfo.Sizes, error) {
	components := slices.Collect(rel.Components())
	var all []policy.Candidate
	for _, c := range components {
		cands, err := l.policies.rules.Candidates(c.Canonical)
		if err == nil { // else it fails when it is asked for
			all = append(all, cands...)
		}
	}
	found, err := l.credentials(ctx, all)
	if err != nil {
		return nil, err
	}
	contents, err := chain.Contents(l.base, l.rules, chain.MirrorsConfig{Observer: l.observer()})
	if err != nil {
		return nil, err
	}
	if !rel.Platform().IsZero() {
		platform = rel.Platform()
	}
	sizes := &releaseinfo.Sizes{Of: make(map[string]int64)}
	var done atomic.Int64
	stop := l.progressOf(func() string { return "reading sizes " + progress.Bar(int(done.Load()), len(components)) })
	defer stop()
	var mu sync.Mutex
	blobs := make(map[string]int64)
	failed := make([]error, len(components))
	start := time.Now()
	var g errgroup.Group
	g.SetLimit(sizesAtOnce)
	for i, c := range components {
		g.Go(func() error {
			defer done.Add(1)
			of, err := blobsOf(l.traced(ctx), contents, provider.Request{Image: c.Canonical, Platform: platform, Credentials: found.Credentials})
			if err != nil {
				failed[i] = err
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			var sum int64
			for _, b := range of {
				sum += b.Size
				blobs[b.Digest] = b.Size
			}
			sizes.Of[c.Name] = sum
			return nil
		})
	}
	_ = g.Wait() // failed has the errors
	stop()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, context.Cause(ctx)
	}
	for _, size := range blobs {
		sizes.Total += size
	}
	bad := 0
	var first error
	for i, err := range failed {
		if err == nil {
			continue
		}
		if bad++; bad == 1 {
			image := components[i].Canonical
			at := *l
			at.found = found
			at.x, _ = l.policies.explain(refArg{image.String(), image})
			first = at.failed(ctx, refArg{image.String(), image}, err, time.Since(start))
		}
	}
	if bad > 1 {
		l.warnf("the sizes of %d images are not known; this is why for the first of them", bad)
	}
	return sizes, first
}

// sizedBlob is what a manifest says of a blob.
type sizedBlob struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// blobsOf returns config and layers of an image, each once; of an index, those of the
// platform.
func blobsOf(ctx context.Context, contents provider.ContentProvider, req provider.Request) ([]sizedBlob, error) {
	c, err := contents.Content(ctx, req)
	if err != nil {
		return nil, err
	}
	if entries := c.Platforms(); entries != nil {
		i := req.Platform.Choose(entries)
		if i < 0 {
			return nil, &provider.Error{Ref: req.Image, Class: provider.ClassNotFound, Err: fmt.Errorf("the index has no entry for %s", req.Platform.OrDefault())}
		}
		if req.Image, err = req.Image.WithDigest(entries[i].Digest); err != nil {
			return nil, err
		}
		if c, err = contents.Content(ctx, req); err != nil {
			return nil, err
		}
	}
	var m struct {
		Config sizedBlob   `json:"config"`
		Layers []sizedBlob `json:"layers"`
	}
	if err := json.Unmarshal(c.Manifest(), &m); err != nil {
		return nil, &provider.Error{Ref: req.Image, Class: provider.ClassMalformed, Err: err}
	}
	var once []sizedBlob
	for _, b := range append(m.Layers, m.Config) {
		if b.Size = max(b.Size, 0); !slices.Contains(once, b) {
			once = append(once, b)
		}
	}
	return once, nil
}
