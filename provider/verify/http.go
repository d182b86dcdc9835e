package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/http"
	"net/url"
)

// HTTPStore returns a store below an HTTP or HTTPS URL that holds sha256=HEX/signature-1 and
// so on. It is contacted as client does it; mirror policies do not apply, since it is no
// registry. A missing signature (404, or 403 as buckets answer) ends the search; any other
// answer is an error, and the next one is asked for. nil is [http.DefaultClient].
func HTTPStore(base *url.URL, client *http.Client) Store {
	if client == nil {
		client = http.DefaultClient
	}
	return httpStore{base, client}
}

type httpStore struct {
	base   *url.URL
	client *http.Client
}

func (s httpStore) Name() string { return s.base.Redacted() }

func (s httpStore) Signatures(ctx context.Context, digest string) iter.Seq2[Signature, error] {
	return numbered(ctx, func(ctx context.Context, name string) (Signature, error) {
		u := s.base.JoinPath(folder(digest), name)
		data, err := s.get(ctx, u)
		return Signature{data, u.Redacted()}, err
	})
}

func (s httpStore) get(ctx context.Context, u *url.URL) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return nil, withoutURL(err, u)
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusForbidden:
		return nil, fs.ErrNotExist
	default:
		return nil, fmt.Errorf("%s: HTTP %d", u.Redacted(), res.StatusCode)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, MaxSignature+1))
	switch {
	case err != nil:
		return nil, withoutURL(err, u)
	case len(data) == 0:
		return nil, fmt.Errorf("%s: the answer is empty", u.Redacted())
	case bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")):
		return nil, fmt.Errorf("%s: the answer is a web page, not a signature; a proxy or a login page may stand in between", u.Redacted())
	}
	return data, nil
}

// withoutURL returns err with u in place of the URL in it, which may hold a password.
func withoutURL(err error, u *url.URL) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return fmt.Errorf("%s: %w", u.Redacted(), err)
}
