package chain

import (
	"context"
	"errors"

	"github.com/mirrorchain/mirrorchain/provider"
)

// VerifyConfig configures [Verify].
type VerifyConfig struct {
	// Current returns the verifier in force. It is called once per lookup. While it returns
	// nil, lookups fail with [provider.ErrNoVerifier]. It is required. Package
	// [github.com/mirrorchain/mirrorchain/chain/verifier] makes verifiers.
	Current func() provider.Verifier
}

// Verify returns the layer "verify". It returns no release that the verifier in force
// refuses. [provider.Release.Signatures] says who signed.
//
// The layer sets the verifier in the request, as a chain sets the rules. The layers below
// do the rest. [Mirrors] asks the verifier about the answer of each endpoint. If it refuses
// the answer, that attempt has failed, and the next candidate is asked, unless the refusal
// is final ([provider.Error].Final). [Cache] keeps an answer with its verdict, under the ID
// of the verifier. So a cached answer is not verified again, and is not used any more after
// a change of keys or policies. If no layer below asks the verifier, the lookup fails.
//
// Verify belongs above Cache. To verify other images see [VerifyImages].
func Verify(cfg VerifyConfig) Layer {
	return layer("verify", []string{"cache", "mirrors", "store"}, func(Observer) Middleware {
		return func(next provider.ReleaseProvider) (provider.ReleaseProvider, error) {
			if cfg.Current == nil {
				return nil, errors.New("it has no function for the current verifier")
			}
			return &verify{next: next, current: cfg.Current}, nil
		}
	})
}

type verify struct {
	next    provider.ReleaseProvider
	current func() provider.Verifier
}

func (v *verify) Lookup(ctx context.Context, req provider.Request) (*provider.Release, error) {
	if err := pinVerifier(&req, v.current); err != nil {
		return nil, err
	}
	r, err := v.next.Lookup(ctx, req)
	if err != nil {
		return nil, err
	}
	if s := r.Signatures(); s == nil || s.Verifier != req.Verifier.ID() {
		return nil, &provider.Error{
			Op: "verifying the release", Ref: req.Image, Class: provider.ClassSignature,
			Err: errors.New("no layer of the chain had its signatures judged; the layer mirrors does"),
		}
	}
	return r, nil
}

// pinVerifier sets the verifier in force in a request that has none.
func pinVerifier(req *provider.Request, current func() provider.Verifier) error {
	if req.Verifier == nil {
		if req.Verifier = current(); req.Verifier == nil {
			return provider.ErrNoVerifier
		}
	}
	return nil
}

// VerifyImages does for images what [Verify] does for releases. all has to be made by
// [Images]. current returns the verifier in force and is called once per image; while it
// returns nil, the error is [provider.ErrNoVerifier].
func VerifyImages(all provider.ImageProvider, current func() provider.Verifier) (provider.ImageProvider, error) {
	if _, ok := all.(*images); !ok {
		return nil, errors.New("chain: to verify images takes a provider that Images made: no other one asks a verifier")
	}
	if current == nil {
		return nil, errors.New("chain: no function for the current verifier")
	}
	return provider.ImageFunc(func(ctx context.Context, req provider.Request) (provider.Image, error) {
		if err := pinVerifier(&req, current); err != nil {
			return nil, err
		}
		return all.Image(ctx, req)
	}), nil
}
