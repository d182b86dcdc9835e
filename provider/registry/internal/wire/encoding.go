package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Gzipped reports whether the answer says that its body was compressed on the way.
// Nobody asked for that, but some proxies do it all the same. Some servers say it of a
// body that is stored like that, and is the content itself: only the digest tells.
func (r *Response) Gzipped() bool {
	switch strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))) {
	case "gzip", "x-gzip":
		return true
	}
	return false
}

// Unzipped reads a body without the encoding that the proxy added. Errors are
// [*provider.Error]s.
func (r *Response) Unzipped() io.Reader { return &unzipper{from: r} }

// Unzip returns body without that encoding, at most limit bytes of it. It is not ok if
// the body has no such encoding, or more bytes.
func (r *Response) Unzip(body []byte, limit int64) ([]byte, bool) {
	if !r.Gzipped() {
		return nil, false
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(io.LimitReader(z, limit+1))
	return plain, err == nil && int64(len(plain)) <= limit
}

type unzipper struct {
	from *Response
	zip  *gzip.Reader
}

func (u *unzipper) Read(p []byte) (int, error) {
	if u.zip == nil {
		z, err := gzip.NewReader(u.from)
		if err != nil {
			return 0, u.explain(err)
		}
		u.zip = z
	}
	n, err := u.zip.Read(p)
	if err != nil && err != io.EOF {
		err = u.explain(err)
	}
	return n, err
}

// explain returns what the network says, or that the encoding is wrong.
func (u *unzipper) explain(err error) error {
	if _, ok := errors.AsType[*provider.Error](err); ok {
		return err
	}
	return &provider.Error{Class: provider.ClassMalformed, Err: fmt.Errorf("the body is not gzip, as its Content-Encoding says: %w", Clean(err))}
}
