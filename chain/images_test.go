package chain_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// fakeImage is an image as one endpoint has it.
type fakeImage struct {
	from   imageref.Ref
	digest string
	err    error // of every read
}

func (i *fakeImage) Digest() string           { return i.digest }
func (i *fakeImage) PulledFrom() imageref.Ref { return i.from }
func (i *fakeImage) Config(context.Context) ([]byte, error) {
	return []byte(i.from.Name()), i.err
}
func (i *fakeImage) Files(context.Context, ...string) (fs.FS, error)    { return nil, i.err }
func (i *fakeImage) Extract(context.Context, *os.Root, ...string) error { return i.err }

func imagesOver(t *testing.T, base provider.ImageFunc) provider.Image {
	t.Helper()
	p, err := chain.Images(base, always(newRules(t, mirrored(source, mirrorA, mirrorB))), chain.MirrorsConfig{})
	if err != nil {
		t.Fatal(err)
	}
	img, err := p.Image(t.Context(), provider.Request{Image: tagged})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// An endpoint that has another image under the digest is no help.
func TestImagesStaySame(t *testing.T) {
	broken := &provider.Error{Class: provider.ClassNotFound}
	img := imagesOver(t, func(_ context.Context, req provider.Request) (provider.Image, error) {
		switch req.Image.Name() {
		case mirrorA:
			return &fakeImage{from: req.Image, digest: digest, err: broken}, nil
		case mirrorB:
			return &fakeImage{from: req.Image, digest: "sha256:" + strings.Repeat("b", 64)}, nil
		}
		if req.Image.Digest() != digest {
			t.Errorf("%s was asked for %s; want the digest", req.Image.Name(), req.Image)
		}
		return &fakeImage{from: req.Image, digest: digest}, nil
	})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if got, err := img.Config(t.Context()); err != nil || string(got) != source {
				t.Errorf("Config = %q, %v; want the source's", got, err)
			}
		})
	}
	wg.Wait()
	if img.Digest() != digest || img.PulledFrom().Name() != source {
		t.Errorf("digest %s, pulled from %s", img.Digest(), img.PulledFrom())
	}
}

// What no other endpoint can mend is asked of none.
func TestImagesDoNotMoveForNothing(t *testing.T) {
	opened := 0
	img := imagesOver(t, func(_ context.Context, req provider.Request) (provider.Image, error) {
		opened++
		return &fakeImage{from: req.Image, digest: digest, err: context.Canceled}, nil
	})
	for _, bad := range []string{"[bad", "", "/etc/os-release", "etc/", "etc/../x"} {
		_, err := img.Files(t.Context(), bad)
		if _, tried := errors.AsType[*chain.Error](err); tried || !errors.Is(err, path.ErrBadPattern) || !strings.Contains(err.Error(), strconv.Quote(bad)) {
			t.Errorf("Files of the bad pattern %q: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := img.Config(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Config: %v", err)
	}
	if opened != 1 {
		t.Errorf("opened %d times; want once", opened)
	}
}
