package provider_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
)

// However a request is printed, it shows none of its credentials for mirrors.
func TestMirrorCredentialsRedacted(t *testing.T) {
	c, err := provider.NewCredentials(map[string]provider.Credential{"m.example": provider.NewCredential("robot", "s3cret")})
	if err != nil {
		t.Fatal(err)
	}
	req := provider.Request{MirrorCredentials: provider.MirrorCredentials{Own: c, Shared: c}}
	text, err := json.Marshal(req.MirrorCredentials)
	if err != nil {
		t.Fatal(err)
	}
	all := string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		all += fmt.Sprintf(verb, req) + fmt.Sprintf(verb, &req.MirrorCredentials)
	}
	if strings.Contains(all, "s3cret") || strings.Contains(all, "robot") || strings.Contains(all, "733363726574") {
		t.Error("a secret is printed")
	}
}

func TestHasHost(t *testing.T) {
	c, err := provider.ParseCredentials([]byte(`{"auths":{"a.example/x/y":{"auth":"dTpw"},"b.example":{"auth":"dTpw"},"c.example:5000":{"auth":"dTpw"},"d.example/bad":{"auth":"!"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{
		"a.example": true, "b.example": true, "c.example": false, "c.example:5000": true, "d.example": true, "a.example.org": false, "example": false, "": false,
	} {
		if got := c.HasHost(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
	if new(provider.Credentials).HasHost("a.example") {
		t.Error("none has one")
	}
	var keys []string
	for key := range c.All() {
		keys = append(keys, key)
	}
	if got := strings.Join(keys, " "); got != "a.example/x/y b.example c.example:5000" {
		t.Errorf("all are %s", got)
	}
	for name, want := range map[string]bool{"b.example": true, "b.example/x": true, "a.example/x": false, "a.example/x/y": true, "a.example/x/yz": false, "": false} {
		if _, ok := c.ForName(name); ok != want {
			t.Errorf("%q: %t", name, ok)
		}
	}
}
