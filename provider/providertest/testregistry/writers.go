package testregistry

import (
	"errors"
	"io"
)

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

var errWindow = errors.New("the window is full")

// window drops skip bytes, passes left bytes on and then ends: with what end
// returns, or with errWindow.
type window struct {
	w               io.Writer
	skip, remaining int64
	end             func() error
}

func (v *window) Write(p []byte) (int, error) {
	skipped := min(v.skip, int64(len(p)))
	v.skip -= skipped
	rest := p[skipped:]
	count := min(v.remaining, int64(len(rest)))
	n, err := v.w.Write(rest[:count])
	v.remaining -= int64(n)
	written := int(skipped) + n
	if err != nil || written == len(p) && v.remaining > 0 {
		return written, err
	}
	if v.end != nil {
		err = v.end()
	} else {
		err = errWindow
	}
	return written, err
}
