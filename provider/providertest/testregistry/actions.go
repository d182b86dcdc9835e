package testregistry

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// Action is what goes wrong with a request. A fault shows under the action's
// name in [Request.Fault].
type Action struct {
	name  string
	apply func(*exchange)
}

// String returns the action's name.
func (a Action) String() string { return a.name }

const forever = time.Duration(-1)

// Status answers with a status and an error body of the distribution
// specification.
func Status(code int) Action {
	return Action{fmt.Sprintf("status %d", code), func(x *exchange) {
		x.answer = failure(code, "UNKNOWN", http.StatusText(code))
		if code == http.StatusUnauthorized {
			x.answer.header.Set("Www-Authenticate", `Basic realm="testregistry"`)
		}
	}}
}

// RetryLater does what Status does, with a Retry-After header: seconds or an HTTP date.
func RetryLater(code int, retryAfter string) Action {
	return Action{fmt.Sprintf("status %d", code), func(x *exchange) {
		Status(code).apply(x)
		x.answer.header.Set("Retry-After", retryAfter)
	}}
}

// Hang reads the request and never answers.
func Hang() Action {
	return Action{"hang", func(x *exchange) { x.before = func() error { return x.wait(forever) } }}
}

// HangAfterHeader sends the header and nothing of the body.
func HangAfterHeader() Action {
	return Action{"hang after header", func(x *exchange) { x.after = func() error { return x.wait(forever) } }}
}

// HangAfter sends n bytes of the body and no more. A shorter body is sent whole,
// here and in ResetAfter and CutOff.
func HangAfter(n int64) Action {
	return after("hang", n, func(x *exchange) error { return x.wait(forever) })
}

// Reset resets the connection instead of answering.
func Reset() Action {
	return Action{"reset", func(x *exchange) {
		x.before = func() error { x.conn.reset(); return errGone }
	}}
}

// ResetAfter resets the connection after n bytes of the body.
func ResetAfter(n int64) Action {
	return after("reset", n, func(x *exchange) error { x.conn.reset(); return errGone })
}

// CutOff ends the answer after n bytes of the body, though its header promises
// the whole.
func CutOff(n int64) Action {
	return after("cut off", n, func(*exchange) error { return errGone })
}

// after lets n bytes of the body through and then calls then.
func after(name string, n int64, then func(*exchange) error) Action {
	return Action{fmt.Sprintf("%s after %d bytes", name, n), func(x *exchange) {
		x.wrap = append(x.wrap, func(w io.Writer) io.Writer {
			return &window{w: w, remaining: n, end: func() error { x.flush(); return then(x) }}
		})
	}}
}

// Truncate sends n bytes of the body as if they were the whole.
func Truncate(n int64) Action {
	return Action{fmt.Sprintf("truncate to %d bytes", n), func(x *exchange) {
		body := x.answer.body
		if body == nil {
			return // a redirect, or not modified: there is nothing to send less of
		}
		x.answer.size = min(n, x.answer.size)
		x.answer.body = func(w io.Writer) error {
			if err := body(&window{w: w, remaining: n}); err != errWindow {
				return err
			}
			return nil
		}
	}}
}

// Drip sends the body one byte at a time, with a pause after each.
func Drip(pause time.Duration) Action {
	return Action{"drip", func(x *exchange) {
		x.wrap = append(x.wrap, func(w io.Writer) io.Writer {
			return writerFunc(func(p []byte) (int, error) {
				for i := range p {
					if _, err := w.Write(p[i : i+1]); err != nil {
						return i, err
					}
					x.flush()
					if err := x.wait(pause); err != nil {
						return i + 1, err
					}
				}
				return len(p), nil
			})
		})
	}}
}

// Delay waits before it answers, besides the registry's latency.
func Delay(d time.Duration) Action {
	return Action{"delay", func(x *exchange) { x.before = func() error { return x.wait(d) } }}
}

// FlipByte changes one bit of the byte at offset; a negative offset counts from
// the end. Size and headers stay.
func FlipByte(offset int64) Action {
	return Action{fmt.Sprintf("flip byte %d", offset), func(x *exchange) {
		at := offset
		if at < 0 {
			at += x.answer.size
		}
		x.wrap = append(x.wrap, func(w io.Writer) io.Writer {
			return writerFunc(func(p []byte) (int, error) {
				if at >= 0 && at < int64(len(p)) {
					p = bytes.Clone(p)
					p[at] ^= 1
				}
				at -= int64(len(p))
				return w.Write(p)
			})
		})
	}}
}

// Replace sends another body under the same headers: Docker-Content-Digest and
// Content-Type still say what was asked for.
func Replace(body []byte) Action {
	return Action{"replace", func(x *exchange) {
		x.answer.size = int64(len(body))
		x.answer.body = func(w io.Writer) error { _, err := w.Write(body); return err }
	}}
}

// ServeBlob sends another blob in place of the one asked for.
func ServeBlob(b testpayload.Blob) Action {
	return Action{"other blob", func(x *exchange) {
		x.answer.size = b.Size
		x.answer.body = func(w io.Writer) error { _, err := b.WriteTo(w); return err }
	}}
}

// ServeManifest sends another manifest, with its own media type, in place of the
// one asked for. Docker-Content-Digest still says what was asked for.
func ServeManifest(img testpayload.Image) Action {
	return Action{"other manifest", func(x *exchange) {
		Replace(img.Manifest).apply(x)
		x.answer.header.Set("Content-Type", img.MediaType)
	}}
}

// SetHeader changes a header of the answer; "" removes it.
func SetHeader(key, value string) Action {
	return Action{"header " + key, func(x *exchange) {
		if x.answer.header.Set(key, value); value == "" {
			x.answer.header.Del(key)
		}
	}}
}

// Redirect sends the client elsewhere.
func Redirect(location string) Action { return RedirectWith(http.StatusTemporaryRedirect, location) }

// RedirectWith does what Redirect does, with any status. Without a location the header is
// missing.
func RedirectWith(status int, location string) Action {
	return Action{"redirect", func(x *exchange) {
		x.answer = answer{status: status, header: http.Header{}}
		if location != "" {
			x.answer.header.Set("Location", location)
		}
	}}
}

// Bare answers with a status and no body.
func Bare(status int) Action {
	return Action{fmt.Sprintf("bare status %d", status), func(x *exchange) { x.answer = answer{status: status} }}
}

// Page answers with a web page, as login portals and filtering proxies do.
func Page(status int) Action {
	const page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Sign in to go on.</body></html>\n"
	return Action{fmt.Sprintf("web page %d", status), func(x *exchange) {
		x.answer = answer{
			status: status, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, size: int64(len(page)),
			body: func(w io.Writer) error { _, err := io.WriteString(w, page); return err },
		}
	}}
}

// Gzip compresses the body on the way, as some proxies do; announced, its length is in
// the header.
func Gzip(announced bool) Action {
	return Action{"gzip", func(x *exchange) {
		if x.answer.body == nil {
			return
		}
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		err := errors.Join(x.answer.body(z), z.Close())
		x.answer.header.Set("Content-Encoding", "gzip")
		x.answer.size = -1
		if announced {
			x.answer.size = int64(b.Len())
		} else { // or net/http announces what is short
			x.after = func() error { return nil }
		}
		x.answer.body = func(w io.Writer) error {
			if err != nil {
				return err
			}
			_, err := w.Write(b.Bytes())
			return err
		}
	}}
}

// Endless sends a body without end, of unknown length: spaces, which JSON allows
// before a value.
func Endless() Action {
	return Action{"endless", func(x *exchange) {
		x.answer.size = -1
		x.answer.body = func(w io.Writer) error {
			spaces := bytes.Repeat([]byte(" "), 32<<10)
			for {
				if err := x.gone(); err != nil {
					return err
				}
				if _, err := w.Write(spaces); err != nil {
					return err
				}
			}
		}
	}}
}
