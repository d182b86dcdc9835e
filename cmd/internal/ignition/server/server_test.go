package server_test

import (
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
)

func TestServer(t *testing.T) {
	s := newSite(t)
	t.Run("serves", func(t *testing.T) {
		p := s.place(t)
		r := p.run()
		secret := p.token("token-np-1")
		files := r.await(string(secret.Data["token"]))
		if got := files["custom.yaml"]; got != "the config of token-np-1" {
			t.Errorf("the payload was made of %q", got)
		}
		p.awaitReport("token-np-1", payload.ReasonAsExpected, "Payload generated successfully")
		if !strings.Contains(files["operator.args"], "--release-image="+p.images.Pullspec) {
			t.Errorf("args %s", files["operator.args"])
		}
		r.stop()
		p.untouched()
	})
}
