package machineconfig

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// Target is a registry that takes images over HTTP. For tokens, give it a Client
// whose transport sends them.
type Target struct {
	// Client knows the registry's authority; nil is [http.DefaultClient].
	Client *http.Client
	// URL is "https://HOST:PORT".
	URL string
	// User and Password are sent as Basic authorization, if there is a User.
	User, Password string
}

// Push uploads the image, blobs first, one after the other. tag may be "": it has its
// digest then. An index is not supported.
func (t Target) Push(ctx context.Context, repository, tag string, img testpayload.Image) error {
	for _, b := range img.Blobs {
		if err := t.blob(ctx, repository, b); err != nil {
			return fmt.Errorf("pushing blob %s to %s: %w", b.Digest, repository, err)
		}
	}
	address := t.URL + "/v2/" + repository + "/manifests/" + cmp.Or(tag, img.Digest)
	if _, err := t.do(ctx, http.MethodPut, address, img.MediaType, img.Manifest, http.StatusCreated); err != nil {
		return fmt.Errorf("pushing manifest %s to %s: %w", img.Digest, repository, err)
	}
	return nil
}

func (t Target) blob(ctx context.Context, repository string, b testpayload.Blob) error {
	begun, err := t.do(ctx, http.MethodPost, t.URL+"/v2/"+repository+"/blobs/uploads/", "", nil, http.StatusAccepted)
	if err != nil {
		return err
	}
	query := begun.Query()
	query.Set("digest", b.Digest)
	begun.RawQuery = query.Encode()
	_, err = t.do(ctx, http.MethodPut, begun.String(), "application/octet-stream", b.Bytes(), http.StatusCreated)
	return err
}

// do returns the Location of the answer.
func (t Target) do(ctx context.Context, method, address, mediaType string, body []byte, want int) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	if t.User != "" {
		req.SetBasicAuth(t.User, t.Password)
	}
	resp, err := cmp.Or(t.Client, http.DefaultClient).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if resp.StatusCode != want {
		return nil, fmt.Errorf("%s %s: %s: %s", method, req.URL.Path, resp.Status, text)
	}
	at, err := resp.Location()
	if err != nil && method == http.MethodPost {
		return nil, err
	}
	return at, nil
}
