package chain_test

import (
	"context"
	"fmt"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
)

// The first layer is the outermost: it sees the request first and the answer last.
func ExampleNew() {
	say := func(name string) chain.Layer {
		return chain.Layer{Name: name, Wrap: func(next provider.ReleaseProvider) provider.ReleaseProvider {
			return provider.Func(func(ctx context.Context, req provider.Request) (*provider.Release, error) {
				fmt.Println("into", name)
				defer fmt.Println("out of", name)
				return next.Lookup(ctx, req)
			})
		}}
	}
	base := provider.Func(func(_ context.Context, req provider.Request) (*provider.Release, error) {
		return provider.NewRelease(provider.ReleaseData{Image: req.Image, Version: "4.17.3"})
	})
	current := func() *provider.Rules { return noRules }

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

// The layers of this package in their order.
func ExampleChain_String() {
	current := func() *provider.Rules { return noRules }
	base, err := registry.New(registry.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := chain.New(base, current,
		chain.Observe(chain.ObserveConfig{}),
		chain.Translate(chain.TranslateConfig{}),
		chain.Components(chain.ComponentsConfig{}),
		chain.Cache(chain.CacheConfig{}),
		chain.Mirrors(chain.MirrorsConfig{}),
		chain.Store(chain.StoreConfig{}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c)
	// Output: observe > translate > components > cache > mirrors > store > registry
}
