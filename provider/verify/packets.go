package verify

import (
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
)

// Tags of OpenPGP packets (RFC 4880, section 4.3).
const (
	tagSignature  = 2
	tagOnePass    = 4
	tagCompressed = 8
	tagMarker     = 10
	tagLiteral    = 11
)

var errNoMessage = errors.New("not an OpenPGP message")

// packet is one OpenPGP packet.
type packet struct {
	tag  int
	body []byte
}

// readPackets splits data into its packets (RFC 4880, section 4.2).
func readPackets(data []byte) ([]packet, error) {
	var out []packet
	for r := (reader{data}); len(r.rest) > 0; {
		p, err := r.packet()
		if err != nil {
			return nil, err
		}
		if p.tag != tagMarker { // to be ignored, section 5.8
			out = append(out, p)
		}
	}
	return out, nil
}

// reader cuts packets from the front of rest.
type reader struct{ rest []byte }

func (r *reader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.rest) {
		return nil, fmt.Errorf("%w: it is cut short", errNoMessage)
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b, nil
}

// number reads a big-endian number of n bytes.
func (r *reader) number(n int) (int, error) {
	b, err := r.take(n)
	v := 0
	for _, x := range b {
		v = v<<8 | int(x)
	}
	return v, err
}

func (r *reader) packet() (packet, error) {
	first, err := r.number(1)
	if err != nil {
		return packet{}, err
	}
	if first&0x80 == 0 {
		return packet{}, errNoMessage
	}
	if first&0x40 != 0 {
		body, err := r.newBody()
		return packet{first & 0x3f, body}, err
	}
	p := packet{tag: first >> 2 & 0x0f}
	n := len(r.rest) // of indeterminate length: to the end
	if kind := first & 3; kind < 3 {
		if n, err = r.number(1 << kind); err != nil {
			return packet{}, err
		}
	}
	p.body, err = r.take(n)
	return p, err
}

// newBody reads a body in the new format, whose length may come in parts.
func (r *reader) newBody() ([]byte, error) {
	var body []byte
	for {
		n, err := r.number(1)
		partial := false
		switch {
		case err != nil:
		case n < 192:
		case n < 224:
			var low int
			low, err = r.number(1)
			n = (n-192)<<8 + low + 192
		case n < 255:
			n, partial = 1<<(n&0x1f), true
		default:
			n, err = r.number(4)
		}
		if err != nil {
			return nil, err
		}
		part, err := r.take(n)
		if err != nil {
			return nil, err
		}
		body = append(body, part...)
		if !partial {
			return body, nil
		}
	}
}

// decompress returns what is in the body of a compressed packet (RFC 4880, section 5.6),
// at most MaxSignature bytes.
func decompress(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return nil, errNoMessage
	}
	var r io.Reader = bytes.NewReader(body[1:])
	switch body[0] {
	case 0:
	case 1:
		r = flate.NewReader(r)
	case 2:
		z, err := zlib.NewReader(r)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNoMessage, err)
		}
		r = z
	case 3:
		r = bzip2.NewReader(r)
	default:
		return nil, fmt.Errorf("compression %d is not supported", body[0])
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxSignature+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errNoMessage, err)
	case len(data) > MaxSignature:
		return nil, errTooLarge
	}
	return data, nil
}

// literalBody returns the document in a literal packet (RFC 4880, section 5.9): behind a
// format, a file name and a date.
func literalBody(body []byte) ([]byte, error) {
	r := reader{body}
	if _, err := r.take(1); err != nil {
		return nil, err
	}
	name, err := r.number(1)
	if err != nil {
		return nil, err
	}
	if _, err := r.take(name + 4); err != nil {
		return nil, err
	}
	return r.rest, nil
}
