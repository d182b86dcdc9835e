package registry

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// Pusher is what [Registry.Push] calls itself.
const Pusher = "pusher"

// Push uploads img as repository with the tag, or by its digest alone if tag is "":
// the OCI distribution specification's monolithic uploads. (The usual clients take no
// token realm on a private address, or bring much along.)
func (r *Registry) Push(t testing.TB, repository, tag string, img testpayload.Image) {
	t.Helper()
	p := &pusher{r: r, base: "https://" + r.host + "/v2/" + repository}
	if r.tokens != nil {
		token, err := r.tokens.token(Pusher, []string{"repository:" + repository + ":pull,push"})
		if err != nil {
			t.Fatal(err)
		}
		p.token = token
	}
	p.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.cfg.CA.Pool()}}
	defer p.client.CloseIdleConnections()
	for _, b := range img.Blobs {
		if err := p.blob(b); err != nil {
			t.Fatalf("pushing a blob of %s: %v", repository, err)
		}
	}
	if tag == "" {
		tag = img.Digest
	}
	if _, err := p.do("PUT", p.base+"/manifests/"+tag, img.MediaType, img.Manifest); err != nil {
		t.Fatalf("pushing %s: %v", repository, err)
	}
}

type pusher struct {
	r      *Registry
	base   string
	token  string
	client http.Client
}

func (p *pusher) blob(b testpayload.Blob) error {
	where, err := p.do("POST", p.base+"/blobs/uploads/", "", nil)
	if err != nil {
		return err
	}
	q := where.Query() // it holds the state of the upload
	q.Set("digest", b.Digest)
	where.RawQuery = q.Encode()
	_, err = p.do("PUT", where.String(), "application/octet-stream", b.Bytes())
	return err
}

// do sends a request that is to be accepted, and returns the answer's location.
func (p *pusher) do(method, to, contentType string, body []byte) (*url.URL, error) {
	req, err := http.NewRequest(method, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", Pusher)
	req.Header.Set("Content-Type", contentType)
	switch {
	case p.token != "":
		req.Header.Set("Authorization", "Bearer "+p.token)
	case p.r.cfg.Auth == Basic:
		req.SetBasicAuth(p.r.cfg.User.Name, p.r.cfg.User.Password)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("%s %s: %s: %s", method, req.URL.Path, resp.Status, answer)
	}
	return resp.Location()
}
