package wire

import (
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Exchange is one request to a host and what came of it, as observers see it. It
// holds nothing secret.
type Exchange struct {
	Method, Scheme, Host, Path string
	Status                     int
	Class                      provider.Class
	Bytes                      int64
	Took                       time.Duration
}

const withheld = "(withheld)"

// record is the Exchange of one request under way. A nil one does nothing.
type record struct {
	Exchange
	began   time.Time
	observe func(Exchange)
}

// record begins the record of r. Where a server chose the address, that server's
// words are not repeated: a path may be signed, a host name may be an echo.
func (h *Host) record(method, scheme string, r *Request) *record {
	if h.observe == nil {
		return nil
	}
	x := Exchange{Method: method, Scheme: scheme, Host: h.address, Path: r.Path}
	if r.Chosen {
		x.Path = ""
		if Repeats(x.Host, r.Secrets...) {
			x.Host = withheld
		}
	}
	return &record{x, time.Now(), h.observe}
}

func (r *record) status(code int) {
	if r != nil {
		r.Status = code
	}
}

func (r *record) read(n int) {
	if r != nil {
		r.Bytes += int64(n)
	}
}

func (r *record) failed(err error) {
	if r != nil {
		r.Class = provider.ClassOf(err)
	}
}

func (r *record) end() {
	if r != nil {
		r.Took = time.Since(r.began)
		r.observe(r.Exchange)
	}
}
