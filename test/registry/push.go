package registry

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/test/machineconfig"
)

// Pusher is what [Registry.Push] calls itself.
const Pusher = "pusher"

// Push uploads img as repository with the tag, or by its digest alone if tag is "".
func (r *Registry) Push(t testing.TB, repository, tag string, img testpayload.Image) {
	t.Helper()
	p := &pusher{base: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.cfg.CA.Pool()}}}
	defer p.base.CloseIdleConnections()
	to := machineconfig.Target{Client: &http.Client{Transport: p}, URL: "https://" + r.host}
	switch {
	case r.tokens != nil:
		token, err := r.tokens.token(Pusher, []string{"repository:" + repository + ":pull,push"})
		if err != nil {
			t.Fatal(err)
		}
		p.authorization = "Bearer " + token
	case r.cfg.Auth == Basic:
		to.User, to.Password = r.cfg.User.Name, r.cfg.User.Password
	}
	if err := to.Push(t.Context(), repository, tag, img); err != nil {
		t.Fatal(err)
	}
}

// pusher says who it is.
type pusher struct {
	base          *http.Transport
	authorization string // "" leaves it as it is
}

func (p *pusher) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", Pusher)
	if p.authorization != "" {
		req.Header.Set("Authorization", p.authorization)
	}
	return p.base.RoundTrip(req)
}
