package chain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Middleware wraps a provider in another. It returns an error if next lacks an
// optional capability that it needs, see [provider.As].
type Middleware func(next provider.ReleaseProvider) (provider.ReleaseProvider, error)

// Layer is a decorator around a provider, with a name and a place in the order.
type Layer struct {
	// Name is unique in a chain.
	Name string
	// Above are the names of layers that must be below this one, nearer to the base. New
	// fails if one of them is not. Names that are not in the chain do not matter.
	Above []string
	// Wrap puts the layer around next. It is called once per chain. State of the layer
	// belongs to that call.
	Wrap Middleware
	// Observed is for layers that report events; others leave it nil. In a chain with an
	// [Observe] layer, New uses the Middleware that it returns in place of Wrap.
	Observed func(Observer) Middleware

	observer Observer // the observer that an Observe layer gives to the others
}

// Chain is a stack of layers around a base provider. It is immutable and safe for
// concurrent use. [New] makes one. A lookup of a zero Chain is an error.
type Chain struct {
	top     provider.ReleaseProvider
	current func() *policy.Rules
	text    string
}

// New wraps base in layers; the first layer is the outermost. current returns the rules
// in force. It is called once per lookup, and its result is set in
// [provider.Request.Rules], unless the request already has rules. While it returns nil,
// lookups fail with [provider.ErrNoRules].
//
// An error says what is wrong: base or current is nil; a layer has no name or no Wrap; two
// layers have the same name; two layers are in the wrong order, see Layer.Above; or a layer
// needs a capability that the provider below it lacks. All of these are mistakes of the
// program, so there are no error values to compare with.
func New(base provider.ReleaseProvider, current func() *policy.Rules, layers ...Layer) (*Chain, error) {
	if base == nil {
		return nil, errors.New("chain: no base provider")
	}
	if current == nil {
		return nil, errors.New("chain: no function for the current rules")
	}
	if err := checkOrder(layers); err != nil {
		return nil, err
	}
	var observer Observer
	names := make([]string, 0, len(layers)+1)
	for _, l := range layers {
		names = append(names, l.Name)
		if l.observer != nil {
			observer = l.observer
		}
	}
	top := base
	for _, l := range slices.Backward(layers) {
		wrap := l.Wrap
		if observer != nil && l.Observed != nil {
			wrap = l.Observed(observer)
		}
		var err error
		if top, err = wrap(top); err != nil {
			return nil, fmt.Errorf("chain: layer %q: %w", l.Name, err)
		}
		if top == nil {
			return nil, fmt.Errorf("chain: layer %q returned no provider", l.Name)
		}
	}
	return &Chain{top: top, current: current, text: strings.Join(append(names, nameOf(base)), " > ")}, nil
}

func checkOrder(layers []Layer) error {
	for i, l := range layers {
		switch {
		case l.Name == "":
			return fmt.Errorf("chain: layer %d has no name", i+1)
		case l.Wrap == nil:
			return fmt.Errorf("chain: layer %q has no Wrap", l.Name)
		}
		for _, outer := range layers[:i] {
			if outer.Name == l.Name {
				return fmt.Errorf("chain: layer %q is there twice", l.Name)
			}
			if slices.Contains(l.Above, outer.Name) {
				return fmt.Errorf("chain: layer %q is outside %q; it belongs inside", outer.Name, l.Name)
			}
		}
	}
	return nil
}

// nameOf returns the name of a base: what its method Name returns, else the package of
// its type ("*registry.Provider" is "registry"). A wrapper without a Name has that of the
// provider it wraps.
func nameOf(base provider.ReleaseProvider) string {
	switch b := base.(type) {
	case interface{ Name() string }:
		return b.Name()
	case *Chain:
		return "(" + b.text + ")"
	case interface {
		Unwrap() provider.ReleaseProvider
	}:
		return nameOf(b.Unwrap())
	}
	pkg, _, _ := strings.Cut(strings.TrimLeft(fmt.Sprintf("%T", base), "*"), ".")
	return pkg
}

// Lookup looks the release up through the layers. Errors are those of the layers and of
// the base. If endpoints were asked and none answered, [errors.As] finds an [*Error]. An
// invalid request is an error of [provider.ClassInvalid], and [provider.ErrNoRules] says
// that there are no rules yet; no endpoint was asked then.
func (c *Chain) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	if c == nil || c.top == nil {
		return nil, errors.New("chain: this Chain was not made by New")
	}
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if req.Rules == nil {
		if req.Rules = c.current(); req.Rules == nil {
			return nil, provider.ErrNoRules
		}
	}
	return c.top.Lookup(ctx, req)
}

// String returns the names of the layers, the outermost first, and of the base:
// "observe > translate > components > cache > mirrors > store > registry".
func (c *Chain) String() string {
	if c == nil {
		return ""
	}
	return c.text
}

// layer returns a Layer of this package, which works with and without an observer.
func layer(name string, above []string, build func(Observer) Middleware) Layer {
	return Layer{
		Name: name, Above: above,
		Wrap:     func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) { return build(nil)(next) },
		Observed: build,
	}
}
