package registry_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// R13: memory is taken by what arrived, not by what a manifest promises: many lookups of
// layers that are said to be large, and of which nothing comes, hold little.
func TestPromisedBytesTakeNothing(t *testing.T) {
	const lookups = 200
	reg := start(t, testregistry.Config{})
	img := testpayload.Must(testpayload.Spec{Base: []testpayload.Blob{testpayload.VirtualLayer(false, 1, 4<<20-1024)}}.Image())
	req := request(reg.ByDigest(repo, reg.Push(repo, "", img)))
	reg.Fail(blobs, testregistry.HangAfterHeader())
	p := open(t, reg)
	ctx, cancel := context.WithCancel(t.Context())
	before, stop := watchHeap()
	var wg sync.WaitGroup
	for range lookups {
		wg.Go(func() { _, _ = p.Lookup(ctx, req) })
	}
	if err := reg.Wait(ctx, lookups, blobs); err != nil {
		t.Error(err)
	}
	runtime.GC()
	most, _ := stop()
	cancel()
	wg.Wait()
	// The test registry's own half is in it: some 100 KiB for each.
	if retained := most - min(before, most); retained > lookups*512<<10 {
		t.Errorf("%d lookups held %d MiB for layers of which nothing came", lookups, retained>>20)
	}
}

// R13: of large manifests only so many are held at once, however many come, and small
// ones do not wait for them.
func TestLargeManifestsTakeTurns(t *testing.T) {
	const large, slots = 40, 16
	reg := start(t, testregistry.Config{})
	small := request(reg.ByDigest(repo, reg.Push(repo, "", small(t))))
	body := fmt.Appendf(nil, `{"schemaVersion":2,"layers":[],"config":{},"annotations":{"a":%q}}`, bytes.Repeat([]byte("x"), 1<<20))
	req := request(reg.ByDigest("large/one", reg.Push("large/one", "", testpayload.Raw(testpayload.OCIManifest, body))))
	// They stand still when more has come than needs no slot.
	undo := reg.Fail(testregistry.Match{Repository: "large/one"}, testregistry.HangAfter(512<<10))
	p := open(t, reg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req.Last = true // so that they go on standing
	var wg sync.WaitGroup
	for range large {
		wg.Go(func() { _, _ = p.Image(ctx, req) })
	}
	if err := reg.Wait(ctx, large, testregistry.Match{Repository: "large/one"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Lookup(ctx, small); err != nil {
		t.Error(err)
	}
	undo()
	other, done := context.WithTimeout(ctx, 300*time.Millisecond)
	_, err := p.Image(other, req)
	done()
	if provider.ClassOf(err) != provider.ClassTimeout {
		t.Errorf("a large manifest more than %d at once: %v", slots, err)
	}
	cancel()
	wg.Wait()
	if _, err := p.Image(t.Context(), req); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
