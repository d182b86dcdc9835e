package provider

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
)

// files are the files of a release that are handed out as they are, and what was made of
// them. The copies that layers make of a release share them.
type files struct {
	imageReferences, bootImages file
	made                        recent[func() any]
}

// newFiles returns the files of d. It shares with like, if that is not nil, what is the
// same in both.
func newFiles(d ReleaseData, like *files) *files {
	if like != nil && like.imageReferences.holds(d.ImageReferences) && like.bootImages.holds(d.BootImages) {
		return like
	}
	var w *flate.Writer // made once: it is large
	pack := func(b []byte) file {
		if b == nil {
			return file{}
		}
		var to bytes.Buffer
		if w == nil {
			w, _ = flate.NewWriter(&to, flate.BestSpeed) // it fails for a wrong level alone
		} else {
			w.Reset(&to)
		}
		_, _ = w.Write(b) // a buffer takes everything
		_ = w.Close()
		return file{packed: strings.Clone(to.String()), size: len(b), sum: sha256.Sum256(b), is: true}
	}
	return &files{imageReferences: pack(d.ImageReferences), bootImages: pack(d.BootImages)}
}

// file is a file in little memory: the two of a release take a sixth of their size.
type file struct {
	packed string
	size   int
	sum    sha256sum
	is     bool // false for a file that the release does not have
}

func (f *file) holds(b []byte) bool {
	return f.is == (b != nil) && f.size == len(b) && (!f.is || f.sum == sha256.Sum256(b))
}

// bytes returns the file; nil if there is none.
func (f *file) bytes() []byte {
	if !f.is {
		return nil
	}
	b := make([]byte, f.size)
	if _, err := io.ReadFull(flate.NewReader(strings.NewReader(f.packed)), b); err != nil { // we packed it
		panic(fmt.Errorf("provider: unpacking a file of a release: %w", err))
	}
	return b
}

// Remember returns what compute makes of r, and keeps it with the files of r: for as long
// as a cache holds r or a copy of it that a layer made. It is for results that take time to
// decode. compute runs once for a key. Callers that ask meanwhile wait, and all of them get
// the same result, so it must be safe to share. The key must be comparable and of a type of
// the caller's own. It must contain whatever else the result depends on, such as the
// version of the rules. Only the latest four keys are kept.
func (r *Release) Remember(key any, compute func() any) any {
	if r.content == nil { // nothing to keep it with
		return compute()
	}
	made := &r.content.files.made
	get, ok := made.get(key)
	if !ok {
		get = made.add(key, sync.OnceValue(compute))
	}
	return get()
}

// recent keeps the four latest values by key. It is safe for concurrent use.
type recent[T any] [4]atomic.Pointer[keyed[T]]

type keyed[T any] struct {
	key   any
	value T
}

func (r *recent[T]) get(key any) (T, bool) {
	for i := range r {
		if p := r[i].Load(); p != nil && p.key == key {
			return p.value, true
		}
	}
	var none T
	return none, false
}

// add keeps v, or returns what another goroutine kept meanwhile. The oldest goes.
func (r *recent[T]) add(key any, v T) T {
	if other, ok := r.get(key); ok {
		return other
	}
	for i := len(r) - 1; i > 0; i-- {
		r[i].Store(r[i-1].Load())
	}
	r[0].Store(&keyed[T]{key, v})
	return v
}
