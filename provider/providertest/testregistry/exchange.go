package testregistry

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// answer is what a registry in good health would say. Faults change it, or the
// way it is written.
type answer struct {
	status int
	header http.Header
	size   int64                 // of the body; -1 leaves Content-Length out
	body   func(io.Writer) error // nil for none
}

// exchange is a request on its way to an answer.
type exchange struct {
	reg     *Registry
	w       http.ResponseWriter
	request *http.Request
	conn    *conn
	entry   *logEntry
	answer  answer

	// How the body is written, as faults want it.
	wrap   []func(io.Writer) io.Writer
	before func() error // just before the header is written
	after  func() error // once the header is on its way
}

func newExchange(r *Registry, e *Endpoint, w http.ResponseWriter, req *http.Request) *exchange {
	x := &exchange{reg: r, w: w, request: req, conn: req.Context().Value(connKey{}).(*conn)}
	q := Request{
		Endpoint: e.name, Method: req.Method, Path: req.URL.Path, EscapedPath: req.URL.EscapedPath(), Query: req.URL.Query(),
		Host: req.Host, Proto: req.Proto, Header: req.Header.Clone(), Conn: x.conn.id,
	}
	q.Kind, q.Repository, q.Reference = parsePath(req.URL.Path)
	switch e.name {
	case "token":
		q.Kind = Token
	case "storage":
		q.Kind = Storage
		q.Reference = storageDigest(req.URL.Path)
	}
	if req.Method == http.MethodPost {
		req.Body = http.MaxBytesReader(w, req.Body, 1<<20)
		if req.ParseForm() == nil {
			q.Form = maps.Clone(req.PostForm)
		}
	}
	if req.TLS != nil && len(req.TLS.PeerCertificates) > 0 {
		q.ClientCertificate = req.TLS.PeerCertificates[0].Subject.CommonName
	}
	x.entry = r.log.begin(q)
	return x
}

var errGone = errors.New("the client or the registry is gone")

// wait waits that long, or for ever if d is less than 0. It fails when the
// client leaves, its connection is closed here, or the registry is: net/http alone
// does not notice once a further request has arrived behind this one.
func (x *exchange) wait(d time.Duration) error {
	var timer <-chan time.Time
	switch {
	case d == 0:
		return nil
	case d > 0:
		t := time.NewTimer(d)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-timer:
		return nil
	case <-x.ctx().Done():
	case <-x.conn.closed:
	case <-x.reg.closed:
	}
	return errGone
}

func (x *exchange) ctx() context.Context { return x.request.Context() }

func (x *exchange) done() {
	x.reg.log.update(x.entry, func(q *Request) { q.Done = true })
}

func (x *exchange) flush() { _ = http.NewResponseController(x.w).Flush() }

// abort ends the answer so that the client cannot take it for complete.
func (x *exchange) abort() { panic(http.ErrAbortHandler) }

// write writes the answer.
func (x *exchange) write() {
	if x.before != nil && x.before() != nil {
		x.abort()
	}
	a := x.answer
	maps.Copy(x.w.Header(), a.header)
	x.w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if a.size >= 0 && a.status != http.StatusNotModified {
		x.w.Header().Set("Content-Length", strconv.FormatInt(a.size, 10))
	}
	x.reg.log.update(x.entry, func(q *Request) { q.Status = a.status })
	x.w.WriteHeader(a.status)
	if a.body == nil || a.status == http.StatusNotModified || x.request.Method == http.MethodHead {
		return // whole: no fault of a body can change that
	}
	if x.after != nil {
		x.flush()
		if x.after() != nil {
			x.abort()
		}
	}
	var w io.Writer = logWriter{x}
	for _, wrap := range x.wrap {
		w = wrap(w)
	}
	if err := a.body(w); err != nil {
		x.abort()
	}
}

// logWriter counts what is written.
type logWriter struct{ x *exchange }

func (l logWriter) Write(p []byte) (int, error) {
	n, err := l.x.w.Write(p)
	l.x.reg.log.update(l.x.entry, func(q *Request) { q.Bytes += int64(n) })
	return n, err
}

// gone fails if nobody wants the answer any more.
func (x *exchange) gone() error {
	select {
	case <-x.reg.closed:
		return errGone
	default:
		return x.ctx().Err()
	}
}
