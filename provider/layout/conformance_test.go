package layout

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"path"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

func TestConformance(t *testing.T) {
	providertest.TestReleaseProvider(t, providertest.Harness{Disk: true, New: func(t *testing.T, reg *testregistry.Registry) provider.ReleaseProvider {
		return storeOf(t, reg)
	}})
}

func TestImageConformance(t *testing.T) {
	providertest.TestImageProvider(t, providertest.ImageHarness{Disk: true, New: func(t *testing.T, reg *testregistry.Registry) provider.ImageProvider {
		return storeOf(t, reg)
	}})
}

// copied is a layout that always has what is in a registry.
type copied struct{ reg *testregistry.Registry }

func storeOf(t *testing.T, reg *testregistry.Registry) *Store {
	c := copied{reg}
	s := newStore(part{c, oci{c}})
	s.names = s.readNames // what is in reg changes
	return s
}

func (copied) path() string                 { return "a copy" }
func (copied) close() error                 { return nil }
func (copied) has(string) bool              { return true }
func (copied) list(string) ([]entry, error) { return nil, nil }

func (c copied) open(name string) (*file, error) {
	if name == ociIndex {
		return inMemory(c.index()), nil
	}
	digest := "sha256:" + path.Base(name)
	for _, s := range c.reg.Stored() {
		if b, ok := find(s.Image, digest); ok {
			return inMemory(b()), nil
		}
	}
	return nil, fs.ErrNotExist
}

func inMemory(b []byte) *file {
	return &file{bytes.NewReader(b), int64(len(b)), func() error { return nil }, ""}
}

// find returns the content of a digest that is part of an image.
func find(img testpayload.Image, digest string) (func() []byte, bool) {
	if img.Digest == digest {
		return func() []byte { return img.Manifest }, true
	}
	for _, b := range img.Blobs {
		if b.Digest == digest {
			return b.Bytes, true
		}
	}
	for _, c := range img.Children {
		if b, ok := find(c, digest); ok {
			return b, true
		}
	}
	return nil, false
}

func (c copied) index() []byte {
	var manifests []map[string]any
	for _, s := range c.reg.Stored() {
		if s.Tag != "" {
			manifests = append(manifests, map[string]any{"digest": s.Digest, "annotations": map[string]string{
				"org.opencontainers.image.ref.name": c.reg.ByTag(s.Repository, s.Tag).String(),
			}})
		}
	}
	b, err := json.Marshal(map[string]any{"manifests": manifests})
	if err != nil {
		panic(err)
	}
	return b
}

// A canceled caller gets the context's error, and no class of a broken disk.
func TestCanceled(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reg.Close)
	digest := reg.Push("r", "t", testpayload.Must(testpayload.Release{Components: 3, Manifests: 2}.Image()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := storeOf(t, reg)
	ref := imageref.MustParse("h.test/r@" + digest)
	if _, err := s.Lookup(ctx, provider.Request{Image: ref}); provider.ClassOf(err) != provider.ClassCanceled {
		t.Error(err)
	}
	if _, err := s.Complete().Head(ctx, provider.Request{Image: ref}); provider.ClassOf(err) != provider.ClassCanceled {
		t.Error(err)
	}
}
