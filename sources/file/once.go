package file

import (
	"context"
	"io"

	"github.com/mirrorchain/mirrorchain/policy"
)

// once is what was read to its end when it was opened: standard input or a pipe.
type once struct {
	path string
	data []byte
}

// readOnce reads what open gives to its end. Opening a pipe waits for its writer
// and reading waits for more, and neither can be called off; so when ctx ends
// first, they are left alone until the writer comes or goes.
func readOnce(ctx context.Context, path string, cfg Config, open func() (io.ReadCloser, error)) (policy.OverrideSource, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		data []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		f, err := open()
		if err != nil {
			read <- result{err: err}
			return
		}
		defer f.Close()
		data, err := readAll(ctx, path, f, cfg.MaxBytes)
		read <- result{data, err}
	}()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-read:
		if r.err != nil {
			return nil, r.err
		}
		return &once{path: path, data: r.data}, nil
	}
}

func (o *once) Name() string { return "file:" + o.path }

func (o *once) Load(ctx context.Context) (policy.Policy, error) {
	if err := ctx.Err(); err != nil {
		return policy.Policy{}, err
	}
	return Parse(o.Name(), o.data)
}
