package registry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/registry"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	client "github.com/mirrorchain/mirrorchain/provider/registry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var user = registry.User{Name: "puller", Password: "pa55word"}

func TestRegistry(t *testing.T) {
	release := testpayload.Release{Components: 3, Manifests: -1, BootImages: testpayload.NoBootImages, BaseLayers: []int64{1 << 20}}
	img := testpayload.Must(release.Image())
	for name, auth := range map[string]registry.Auth{"anonymous": registry.Anonymous, "basic": registry.Basic, "token": registry.Token} {
		t.Run(name, func(t *testing.T) {
			r := registry.Start(t, registry.Config{Auth: auth, User: user})
			r.Push(t, "ocp/release", "4.17.3", img)
			pushed := len(r.Requests(t))
			for _, req := range r.Requests(t) {
				if req.Agent != registry.Pusher {
					t.Errorf("somebody else is there: %s", req)
				}
			}

			lookup := func(password string) error {
				base, err := client.New(client.Config{RootCAs: r.CA().Pool(), UserAgent: "ours"})
				if err != nil {
					t.Fatal(err)
				}
				defer base.Close()
				config := fmt.Appendf(nil, `{"auths":{%q:{"username":%q,"password":%q}}}`, r.Host(), user.Name, password)
				credentials, err := provider.ParseCredentials(config)
				if err != nil {
					t.Fatal(err)
				}
				_, err = base.Lookup(t.Context(), provider.Request{
					Image:       imageref.MustParse(r.Host() + "/ocp/release@" + img.Digest),
					Credentials: credentials,
				})
				return err
			}
			if err := lookup(user.Password); err != nil {
				t.Fatal(err)
			}
			top, base := "/v2/ocp/release/blobs/"+img.Top().Digest, "/v2/ocp/release/blobs/"+img.Layers()[0].Digest
			cluster.Await(t, "the log", func(context.Context) error {
				var got []string
				for _, req := range r.Requests(t)[pushed:] {
					if req.Agent != "ours" {
						t.Fatalf("somebody else is there: %s", req)
					}
					if req.Path == top && req.Bytes == img.Top().Size && req.Pulled() {
						return nil
					}
					got = append(got, req.String())
				}
				return fmt.Errorf("the release layer was not served: %q", got)
			})
			for _, req := range r.Requests(t)[pushed:] {
				if req.Path == base {
					t.Errorf("a base layer was asked for: %s", req)
				}
			}
			if got, want := r.Tokens() > 0, auth == registry.Token; got != want {
				t.Errorf("%d tokens were issued", r.Tokens())
			}

			if auth != registry.Anonymous {
				r.SetPassword(t, "an0ther")
				if err := lookup(user.Password); !errors.Is(err, provider.ErrUnauthorized) {
					t.Errorf("with the password before: %v", err)
				}
				if err := lookup("an0ther"); err != nil {
					t.Errorf("with the new password: %v", err)
				}
			}
			r.Stop(t)
			if err := lookup(user.Password); err == nil {
				t.Error("a stopped registry answers")
			}
		})
	}
}
