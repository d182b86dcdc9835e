package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// checker asks for images.
type checker struct {
	*lookups
	options checkOptions
	list    *imageList
	found   authfile.Found        // for all endpoints of all images
	head    provider.HeadProvider // asks for one

	done, bad atomic.Int64 // for the progress
}

// newCheck finds the credentials for all images of list.
func (l *lookups) newCheck(ctx context.Context, list *imageList, o checkOptions) (*checker, error) {
	c := &checker{lookups: l, options: o, list: list, head: l.base}
	if d, ok := l.base.(onDisk); ok {
		c.head = d.Complete()
		c.options.perRegistry = min(o.perRegistry, runtime.GOMAXPROCS(0)) // more readers than that only make a disk seek
		return c, nil
	}
	var all []policy.Candidate
	unmirrored := 0
	for _, item := range list.images {
		cands, err := l.policies.rules.Candidates(item.ref)
		if err != nil {
			continue // it fails when it is asked for
		}
		if !slices.ContainsFunc(cands, isMirror) {
			unmirrored++
		}
		all = append(all, cands...)
	}
	if unmirrored > 0 && len(l.policies.loaded) > 0 {
		l.notef("no mirror in these policies for %s of %d; asked for at the source", words.Plural(unmirrored, "image"), len(list.images))
	}
	var err error
	c.found, err = l.credentials(ctx, all)
	return c, err
}

func isMirror(c policy.Candidate) bool { return c.Mirror }

// run asks for all images, and for the entries of those that are indexes. The end of
// ctx is a result: what it left unasked is unfinished.
func (c *checker) run(ctx context.Context) ([]checkreport.Result, error) {
	total := len(c.list.images)
	items := make([]check.Item, 0, total)
	for _, image := range c.list.images {
		items = append(items, check.Item{Name: image.names[0], Image: image.ref})
		total += len(image.platforms)
	}
	defer c.countdown(total, &c.done, &c.bad)()
	checked, err := c.ask(ctx, c.head, c.policies.rules, c.options.sources, items)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	results := make([]checkreport.Result, len(checked))
	for i, r := range checked {
		results[i] = checkreport.Result{Names: c.list.images[i].names, Result: r, Unfinished: unfinished(ctx, r.Err)}
	}
	for _, p := range c.list.platforms {
		if err := c.entries(ctx, p, results); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// unfinished reports whether the end of ctx is all that err says.
func unfinished(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}

// ask asks for items under rules. Its error is that of ctx, or of the configuration.
func (c *checker) ask(ctx context.Context, base provider.HeadProvider, rules *policy.Rules, sources bool, items []check.Item) ([]check.Result, error) {
	return check.Run(c.traced(ctx), check.Config{
		Head: base, Rules: rules, Credentials: c.found.Credentials, Sources: sources,
		All: c.options.allMirrors || c.options.signatures, PerRegistry: c.options.perRegistry, Request: c.requestLimit(), Observer: c.observer(),
		Done: func(r check.Result) {
			c.done.Add(1)
			if r.Err != nil {
				c.bad.Add(1)
			}
		},
	}, items)
}

// entries asks the endpoints that have an image for its entry for p, for each of results
// that was found and may be an index. A node chooses an endpoint by the index and asks
// no other one for the entry (containers/image, copy.Image).
func (c *checker) entries(ctx context.Context, p provider.Platform, results []checkreport.Result) error {
	var items []check.Item
	var of []*check.Endpoint
	var in []*checkreport.Result
	insecure := make(map[imageref.Ref]bool)
	for i := range results {
		r := &results[i]
		if r.Err != nil || !slices.Contains(c.list.images[i].platforms, p) {
			continue
		}
		for j := range r.At {
			at := &r.At[j]
			if at.State() == check.Has {
				insecure[at.Ref] = c.insecureAt(r.Image, at.Ref)
				items = append(items, check.Item{Name: r.Names[0], Image: at.Ref})
				of, in = append(of, at), append(in, r)
			}
		}
	}
	// No rules: the endpoint is given, and no other one counts.
	entry := provider.HeadFunc(func(ctx context.Context, req provider.Request) (string, error) {
		req.Platform, req.Insecure, req.Rules = p, insecure[req.Image], c.policies.rules
		image, err := c.base.Image(ctx, req)
		if err != nil {
			return "", err
		}
		return image.Digest(), nil
	})
	checked, err := c.ask(ctx, entry, new(policy.Rules), true, items)
	if err != nil && ctx.Err() == nil {
		return err
	}
	for j, got := range checked {
		at, res := of[j], in[j]
		if got.Err == nil {
			continue
		}
		if unfinished(ctx, got.Err) {
			at.Asked = false
			res.Unfinished = res.Unfinished || at.Ref == res.Found.From
			continue
		}
		at.Err = got.Err
		if attempts := checkreport.AttemptsOf(got); len(attempts) > 0 {
			at.Err = attempts[len(attempts)-1].Err
		}
		if at.Ref == res.Found.From {
			res.Lack = &checkreport.Lack{Platform: p, At: at.Ref, Err: at.Err, Elsewhere: c.elsewhere(ctx, res.Image, p, at.Ref)}
		}
	}
	return nil
}

// hasSource reports whether policy lets image be pulled from its source, and names
// mirrors for it, so that only --sources asks there.
func (c *checker) hasSource(image imageref.Ref) bool {
	cands, err := c.policies.rules.Candidates(image)
	return err == nil && slices.ContainsFunc(cands, isMirror) && slices.ContainsFunc(cands, func(c policy.Candidate) bool { return !c.Mirror })
}

// insecureAt reports whether image may be asked for insecurely at an endpoint.
func (c *checker) insecureAt(image, at imageref.Ref) bool {
	cands, err := c.policies.rules.Candidates(image)
	i := slices.IndexFunc(cands, func(c policy.Candidate) bool { return c.Ref == at })
	return err == nil && i >= 0 && cands[i].Insecure
}

// elsewhere returns the first endpoint other than not that has the index and its entry
// for p, zero for none.
func (c *checker) elsewhere(ctx context.Context, image imageref.Ref, p provider.Platform, not imageref.Ref) imageref.Ref {
	cands, err := c.policies.rules.Candidates(image)
	if err != nil {
		return imageref.Ref{}
	}
	for _, cand := range cands {
		if cand.Ref == not || !cand.Mirror && !c.options.sources {
			continue
		}
		if _, err := c.base.Image(c.traced(ctx), provider.Request{
			Image: cand.Ref, Platform: p, Insecure: cand.Insecure, Credentials: c.found.Credentials, Rules: c.policies.rules,
		}); err == nil {
			return cand.Ref
		}
	}
	return imageref.Ref{}
}

// hints returns what to do about images that are not available. Of those that failed
// at the same endpoints the first one stands for all.
func (c *checker) hints(results []checkreport.Result) []string {
	var hints []string
	missing, unasked := false, false
	seen := make(map[string]bool)
	for _, r := range results {
		if r.Unfinished || r.Err == nil && r.Lack == nil {
			continue
		}
		name := r.Image.String()
		if r.Missing() && !c.options.sources && c.hasSource(r.Image) {
			unasked = true
		}
		if r.Missing() && !missing && c.fromPaths() == "" {
			missing = true
			hints = append(hints, fmt.Sprintf("to see where %s is looked for, and why: %s", r.Names[0], c.commandLine("explain", name)))
		}
		if c.fromPaths() != "" {
			continue // the report says what to do
		}
		attempts := checkreport.AttemptsOf(r.Result)
		if r.Lack != nil {
			attempts = []provider.Attempt{{Ref: r.Lack.At, Err: r.Lack.Err}}
		}
		var key string
		for _, at := range attempts {
			key += fmt.Sprintln(at.Ref.Name(), provider.ClassOf(at.Err))
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		x, err := c.policies.explain(refArg{Text: name, Ref: r.Image})
		if err != nil || r.Missing() {
			x.Resolution = policy.Resolution{} // the command above shows what is blocked
		}
		hints = append(hints, c.advice(name, c.found).Hints(attempts, x.Resolution)...)
	}
	if unasked && c.fromPaths() == "" {
		hints = append(hints, "sources were not asked for what mirrors lack; --sources asks them too")
	}
	return hints
}
