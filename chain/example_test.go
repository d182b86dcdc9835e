package chain_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"path"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// The first layer is the outermost: it sees the request first and the answer last.
func ExampleNew() {
	say := func(name string) chain.Layer {
		return chain.Layer{Name: name, Wrap: func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			return provider.ReleaseFunc(func(ctx context.Context, req provider.Request) (*provider.Release, error) {
				fmt.Println("into", name)
				defer fmt.Println("out of", name)
				return next.Lookup(ctx, req)
			}), nil
		}}
	}
	base := provider.ReleaseFunc(func(_ context.Context, req provider.Request) (*provider.Release, error) {
		return provider.NewRelease(provider.ReleaseData{Image: req.Image, Version: "4.17.3"})
	})
	current := func() *policy.Rules { return noRules }

	c, err := chain.New(base, current, say("first"), say("second"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c)
	r, err := c.Lookup(context.Background(), provider.Request{Image: imageref.MustParse("example.com/release:4.17.3")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Version())
	// Output:
	// first > second > provider
	// into first
	// into second
	// out of second
	// out of first
	// 4.17.3
}

// One file of a component image, read through the mirrors that the policies name.
func ExampleImages() {
	// Two mirrors of a component's repository, one of them down.
	down, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer down.Close()
	down.Down()
	mirror, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer mirror.Close()
	digest := mirror.Push("ocp/art-dev", "", testpayload.Must(testpayload.Spec{Layers: []testpayload.Layer{
		{Entries: []testpayload.Entry{testpayload.File("etc/os-release", "ID=rhcos\n")}},
		{Entries: []testpayload.Entry{testpayload.File("usr/bin/operator", "...")}},
	}}.Image()))

	const artDev = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
		Source: artDev, Pull: policy.PullDigest, NeverContactSource: true, Origin: "imagedigestmirrorset/art-dev#0",
		Mirrors: []policy.Mirror{{Location: down.Host() + "/ocp/art-dev"}, {Location: mirror.Host() + "/ocp/art-dev"}},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	base, err := registry.New(registry.Config{RootCAs: mirror.CA().Pool()})
	if err != nil {
		log.Fatal(err)
	}
	defer base.Close()
	images, err := chain.Images(base, func() *policy.Rules { return rules }, chain.MirrorsConfig{})
	if err != nil {
		log.Fatal(err)
	}

	// Of a release's component this is Canonical, never Image.
	component := imageref.MustParse(artDev + "@" + digest)
	image, err := images.Image(context.Background(), provider.Request{Image: component})
	if err != nil {
		log.Fatal(err)
	}
	files, err := image.Files(context.Background(), "etc/os-release")
	if err != nil {
		log.Fatal(err)
	}
	text, err := fs.ReadFile(files, "etc/os-release")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)
	fmt.Println(image.PulledFrom() == mirror.ByDigest("ocp/art-dev", digest))

	// A mistake of ours is told apart from an endpoint that is away.
	_, err = image.Files(context.Background(), "/etc/os-release")
	fmt.Println(errors.Is(err, path.ErrBadPattern), errors.Is(err, provider.ErrUnreachable))
	// Output:
	// ID=rhcos
	// true
	// true false
}

// The usual layers over the registry client. The rules name two mirrors, and the first
// one is down.
func ExampleDefault() {
	down, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer down.Close()
	down.Down()
	mirror, err := testregistry.Start(testregistry.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer mirror.Close()
	digest := mirror.Push("ocp/release", "", testpayload.Must(testpayload.Release{Version: "4.17.3", Components: 4, Manifests: 4}.Image()))

	const ocpRelease = "quay.io/openshift-release-dev/ocp-release"
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{Rules: []policy.Rule{{
		Source: ocpRelease, Pull: policy.PullDigest, NeverContactSource: true, Origin: "imagedigestmirrorset/release#0",
		Mirrors: []policy.Mirror{{Location: down.Host() + "/ocp/release"}, {Location: mirror.Host() + "/ocp/release"}},
	}}})
	if err != nil {
		log.Fatal(err)
	}
	base, err := registry.New(registry.Config{RootCAs: mirror.CA().Pool()})
	if err != nil {
		log.Fatal(err)
	}
	defer base.Close()

	c, err := chain.New(base, func() *policy.Rules { return rules }, chain.Default(chain.DefaultConfig{})...)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c)
	release, err := c.Lookup(context.Background(), provider.Request{Image: imageref.MustParse(ocpRelease + "@" + digest)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(release.Version(), release.PulledFrom().Registry() == mirror.Host())
	for a := range release.Attempts() {
		fmt.Println(a.Ref.Registry() == down.Host(), provider.ClassOf(a.Err))
		break
	}
	// Output:
	// observe > translate > components > cache > mirrors > store > registry
	// 4.17.3 true
	// true unreachable
}
