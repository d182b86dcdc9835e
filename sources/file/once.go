package file

import (
	"context"
	"io"

	"github.com/mirrorchain/mirrorchain/provider"
)

// once is what was read to its end when it was opened: standard input or a pipe.
type once struct {
	path string
	data []byte
}

func readOnce(ctx context.Context, path string, r io.Reader, cfg Config) (provider.OverrideSource, error) {
	data, err := readAll(ctx, path, r, cfg.MaxBytes)
	if err != nil {
		return nil, err
	}
	return &once{path: path, data: data}, nil
}

func (o *once) Name() string { return "file:" + o.path }

func (o *once) Load(ctx context.Context) (provider.Policy, error) {
	var p provider.Policy
	if err := ctx.Err(); err != nil {
		return p, err
	}
	var err error
	if recognise(o.data) == tables {
		err = (&source{}).addConf(ctx, &p, o.path, o.data, nil)
	} else {
		err = addDocuments(&p, o.Name(), o.data)
	}
	if err != nil {
		return provider.Policy{}, err
	}
	warnNoRules(&p, o.Name(), layout{})
	return p, nil
}
