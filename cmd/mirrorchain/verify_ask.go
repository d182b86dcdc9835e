package main

import (
	"context"
	"errors"
	"slices"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/verifyreport"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

func (v *verification) ask(ctx context.Context, ref refArg, l *lookups) error {
	if v.trustRelease != "" {
		if err := v.trustTheRelease(ctx, l); err != nil {
			return err
		}
	}
	if v.judgesGPG() {
		v.report.AddKeyrings(v.trust)
	}
	image := ref.Ref
	_, required := v.policies.For(image)
	if image.Digest() == "" || v.require != verifyreport.GPG && len(required) > 0 || v.components {
		var err error
		if l == nil {
			if l, err = v.lookups(ctx, ref, nil); err != nil {
				return err
			}
			defer l.close()
		}
		v.report.Notices = l.policies.notices()
		if image, err = l.resolve(ctx, ref, v.platform); err != nil {
			return err
		}
		_, required = v.policies.For(image)
	}
	v.report.Digest = image.Digest()
	if v.judgesGPG() {
		verdict, err := v.trust.Verify(ctx, image.Digest(), v.stores.All...)
		if err != nil && errors.Is(ctx.Err(), context.Canceled) {
			return context.Cause(ctx)
		}
		v.report.AddGPG(verdict, err, v.stores.IsRemote)
		if errors.Is(err, verify.ErrNoSignature) {
			defer func() { v.hintInstance(ctx) }()
		}
	}
	switch {
	case v.require == verifyreport.GPG:
		return nil
	case len(required) > 0:
		if err := v.nodes(ctx, l, refArg{ref.Text, image}, required); err != nil {
			return err
		}
	case !v.components && (v.require != verifyreport.Any || !v.judgesGPG()):
		return v.uncovered(ref)
	default:
		v.notef("no image policy covers %s, so nodes ask for no sigstore signature of it", ref.Text)
	}
	if v.components && (len(required) == 0 || v.report.Instance != "") { // else no endpoint has served it
		return v.componentSignatures(ctx, l, refArg{ref.Text, image})
	}
	return nil
}

// componentSignatures asks for the signatures of every image of the release that an image
// policy covers, where nodes would find them.
func (v *verification) componentSignatures(ctx context.Context, l *lookups, ref refArg) error {
	list := newImageList()
	if err := l.releaseImages(ctx, ref, []provider.Platform{v.platform}, list, false); err != nil {
		return err
	}
	n := v.registriesD.node(l.base, v.policies, l.policies, ref.Ref)
	list.images = slices.DeleteFunc(list.images, func(image *listed) bool { return !n.Judges(image.ref) })
	c, err := l.newCheck(ctx, list, checkOptions{
		allMirrors: v.allMirrors, sources: !v.allMirrors, perRegistry: defaultPerRegistry, policies: v.policies, registriesD: v.registriesD,
	})
	if err != nil {
		return err
	}
	results, err := c.run(ctx)
	if err != nil {
		return err
	}
	found, err := c.signatures(ctx, results)
	if err != nil {
		return err
	}
	v.report.AddComponents(found, checkreport.New(checkreport.Config{AllMirrors: v.allMirrors}, results).Code(results))
	return nil
}

// hintInstance says whether the GPG signature that a list lacks is there for its entry. It
// counts for nothing: the cluster-version operator asks for that of the list.
func (v *verification) hintInstance(ctx context.Context) {
	instance := v.report.Instance
	if instance == "" || instance == v.report.Digest {
		return
	}
	if _, err := v.trust.Verify(ctx, instance, v.stores.All...); err == nil {
		v.hint("there is a GPG signature of the image of the platform, " + instance + "; the cluster-version operator asks for one of the digest that the update names")
	}
}

// nodes asks the endpoints for what nodes ask for.
func (v *verification) nodes(ctx context.Context, l *lookups, ref refArg, required []sigstore.Requirement) error {
	if len(l.x.Candidates) == 0 {
		return about(ref.Text, failure.Forbidden(l.x.Refused))
	}
	n := v.registriesD.node(l.base, v.policies, l.policies, ref.Ref)
	req := provider.Request{Image: ref.Ref, Platform: v.platform, Credentials: l.found.Credentials, Rules: l.policies.rules}
	stop := v.progress("looking for the signatures of %s", ref.Text)
	defer stop()
	var endpoints []node.Endpoint
	mirrors := slices.ContainsFunc(l.x.Candidates, isMirror)
	if v.allMirrors {
		for _, c := range l.x.Candidates {
			if c.Mirror || !mirrors { // a disconnected site cannot ask the source
				endpoints = append(endpoints, n.At(l.traced(ctx), req, c))
			}
		}
	} else {
		var err error
		if endpoints, err = n.Pull(l.traced(ctx), req); err != nil {
			return about(ref.Text, err)
		}
	}
	stop()
	var failed []provider.Attempt
	for i, e := range endpoints {
		v.report.AddEndpoint(e, required, !v.allMirrors && i < len(endpoints)-1)
		if _, refused := errors.AsType[*sigstore.Error](e.Err); e.Err != nil && !refused {
			failed = append(failed, provider.Attempt{Ref: e.Ref, Err: outOfTime(ctx, e.Ref, e.Err)})
		}
	}
	if len(failed) > 0 {
		for _, h := range l.advice(ref.Text, l.found).Hints(failed, l.x.Resolution) {
			v.hint(h)
		}
	}
	return nil
}

// resolve returns ref by digest, and asks for what a tag names. From then on l is about the
// result.
func (l *lookups) resolve(ctx context.Context, ref refArg, platform provider.Platform) (imageref.Ref, error) {
	if ref.Digest() != "" {
		return ref.Normalize(), nil
	}
	stop := l.progress("resolving %s", ref.Text)
	defer stop()
	endpoints, err := node.Node{Base: l.base}.Pull(l.traced(ctx), provider.Request{
		Image: ref.Ref, Platform: platform, Credentials: l.found.Credentials, Rules: l.policies.rules,
	})
	stop()
	if err != nil {
		return imageref.Ref{}, about(ref.Text, err)
	}
	last := endpoints[len(endpoints)-1]
	if last.Digest == "" {
		f := &failure.Lookup{Head: ref.Text + ": no endpoint says what the tag names"}
		for _, e := range endpoints {
			f.Attempts = append(f.Attempts, provider.Attempt{Ref: e.Ref, Err: e.Err})
		}
		f.Code = failure.AttemptsCode(ref.Ref, f.Attempts)
		f.Hints = l.advice(ref.Text, l.found).Hints(f.Attempts, l.x.Resolution)
		return imageref.Ref{}, f
	}
	image, err := ref.WithDigest(last.Digest)
	if err != nil {
		return image, about(ref.Text, err)
	}
	l.notef("%s is %s on %s", ref.Text, last.Digest, last.Ref.Registry())
	if l.x, err = l.policies.explain(refArg{ref.Text, image}); err != nil {
		return image, about(ref.Text, err)
	}
	l.found, err = l.credentials(ctx, l.x.Candidates)
	return image, err
}
