package wire

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

// minProgress is how many bytes count as progress in a body. Less than this
// within the limit on silence, and a connection is as good as dead: a registry
// that drips one byte a second would otherwise hold a lookup for days.
const minProgress = 1 << 10

const (
	maxDrain  = 64 << 10    // of a body that nobody wants
	drainTime = time.Second // and how long that may take
)

// Response is an answer whose body has not been read. Close must be called.
type Response struct {
	Status int
	Header http.Header
	Size   int64 // of the body as announced, -1 if it was not
	Plain  bool  // came over plain HTTP
	// Host is the address of the host that answered.
	Host string

	body      io.ReadCloser
	watch     *watchdog
	record    *record
	elsewhere bool
	progress  int
	eof       bool
	closed    bool
}

// Read reads the body. Errors other than io.EOF are [*provider.Error]s.
func (r *Response) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.record.read(n)
	if r.progress += n; r.progress >= minProgress && !r.closed {
		r.progress = 0
		r.watch.enter(reading)
	}
	switch err {
	case nil:
	case io.EOF:
		r.eof = true
	default:
		err = r.watch.explain(err)
		if r.elsewhere {
			err = elsewhere(err)
		}
		if !r.closed {
			r.record.failed(err)
		}
	}
	return n, err
}

// From returns the position in the blob at which the body begins, if the answer is a part of
// it. It is not ok if the body is the whole, or the header does not say which part it is.
func (r *Response) From() (first int64, ok bool) {
	if r.Status != http.StatusPartialContent {
		return 0, false
	}
	_, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-", &first)
	return first, err == nil
}

// Within ends the exchange if it is not over by then. stop must be called.
func (r *Response) Within(d time.Duration) (stop func()) {
	t := time.AfterFunc(d, func() { r.watch.cancel(&limitError{reading, d}) })
	return func() { t.Stop() }
}

// Close ends the exchange. What is left of the body is read, within bounds, so
// that the connection can be used again.
func (r *Response) Close() {
	if r.closed {
		return
	}
	r.closed = true
	if !r.eof && r.Size <= maxDrain {
		r.watch.enterFor(reading, min(drainTime, r.watch.limits.Silence))
		// One byte more than may be left: only then is the end seen.
		_, _ = io.CopyN(io.Discard, r, maxDrain+1)
	}
	_ = r.body.Close()
	r.watch.end()
	r.record.end()
}
