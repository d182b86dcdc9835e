package registry_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/registry"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	client "github.com/mirrorchain/mirrorchain/provider/registry"
)

// The distribution project's registry says of a tag that did not move just that: one
// request, 304.
func TestOpenKnown(t *testing.T) {
	release := testpayload.Release{Components: 3, Manifests: -1, BootImages: testpayload.NoBootImages}
	img := testpayload.Must(release.Image())
	r := registry.Start(t, registry.Config{Auth: registry.Basic, User: user})
	r.Push(t, "ocp/release", "4.17.3", img)
	pushed := len(r.Requests(t))
	base, err := client.New(client.Config{RootCAs: r.CA().Pool(), UserAgent: "ours"})
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	credentials, err := provider.ParseCredentials(fmt.Appendf(nil, `{"auths":{%q:{"username":%q,"password":%q}}}`, r.Host(), user.Name, user.Password))
	if err != nil {
		t.Fatal(err)
	}
	req := provider.Request{Image: imageref.MustParse(r.Host() + "/ocp/release:4.17.3"), Credentials: credentials}
	o, err := base.Open(t.Context(), req, "")
	if err != nil {
		t.Fatal(err)
	}
	if same, err := base.Open(t.Context(), req, o.Named()); same != nil || err != nil {
		t.Errorf("%v, %v; want neither", same, err)
	}
	if moved, err := base.Open(t.Context(), req, img.Top().Digest); err != nil || moved == nil || moved.Digest() != img.Digest {
		t.Errorf("%v, %v; want the manifest", moved, err)
	}
	cluster.Await(t, "the log", func(context.Context) error {
		var got []int
		for _, q := range r.Requests(t)[pushed:] {
			got = append(got, q.Status)
		}
		if fmt.Sprint(got) != "[200 304 200]" {
			return fmt.Errorf("answers %v; want 200 304 200", got)
		}
		return nil
	})
}
