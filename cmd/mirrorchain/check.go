package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
)

// checkOptions are the flags of release check.
type checkOptions struct {
	archs       []string
	sources     bool
	perRegistry int
}

func (a *app) releaseCheckCmd() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check REF",
		Short: "Find out whether every image of a release is on the mirrors",
		Long: `release check looks a release up, as release info does, and asks the mirrors for
every image of it: the release itself, the entries of its index for the architectures
asked for, all components, and the KubeVirt boot images, which no mirroring tool finds
by itself. It asks for manifests, one small request each, and reads no content: that a
registry has lost a layer, or of an image that is an index an entry, does not show.

Mirrors are what policy names. Where they lack an image its source is not asked for
it: whether a cluster without a line to it could be installed is the question. With
--sources it is, as nodes would. An image that no policy names a mirror for is asked
for at its source in any case, and stderr says how many these are.

For each image that is not to be had, every endpoint asked is listed with why it
failed. A registry that denies to a HEAD request what it serves (some proxy caches)
is asked by GET before it is believed; one that answers 429 gets the time it asks for.

An image is missing if every endpoint asked says that it has none; where one of them
could not be asked, nobody knows. -o junit makes a test case of each image, a failure
of one that is missing, an error of one that could not be asked for. Exit code 3 says
that images are missing; if none is and some could not be asked for, the code says
why, as for a lookup.`,
		Example: `  # can the cluster be updated from the mirrors that the policies name?
  mirrorchain release check -s idms.yaml -a pull-secret.json quay.io/openshift-release-dev/ocp-release@sha256:...

  # both architectures of a release that has several
  mirrorchain release check -s cluster: --arch amd64,arm64 REF

  # the names of what is missing
  mirrorchain release check -s idms.yaml -o json REF | jq -r '.images[] | select(.status != "found").image'

  # for a CI system
  mirrorchain release check -s idms.yaml -o junit REF > mirrors.xml`,
		Args: oneRef,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.opts.junit = true
			return a.releaseCheck(cmd.Context(), args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&o.archs, "arch", nil, "`PLATFORMS` to check of an index: ARCH or OS/ARCH[/VARIANT],... (default linux on this program's own)")
	f.StringSliceVar(&o.archs, "platform", nil, "the same as --arch `PLATFORMS`")
	f.BoolVar(&o.sources, "sources", false, "ask the source too for what no mirror has")
	f.IntVar(&o.perRegistry, "per-registry", 16, "`N` requests at most that one registry gets at once")
	complete(cmd, "per-registry", cobra.NoFileCompletions)
	return cmd
}

func (a *app) releaseCheck(ctx context.Context, arg string, o checkOptions) error {
	ref, err := parseRef(arg)
	if err != nil {
		return err
	}
	platforms, err := parseArchs(o.archs)
	if err != nil {
		return err
	}
	if o.perRegistry < 1 {
		return usagef("--per-registry %d: want 1 or more", o.perRegistry)
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	l, err := a.lookups(ctx, ref, nil) // it asks what is there now
	if err != nil {
		return err
	}
	defer l.close()
	list, err := l.releaseImages(ctx, ref, platforms)
	if err != nil {
		return err
	}
	results, found, err := l.check(ctx, list.items, o)
	if err != nil {
		return err
	}
	report := reportOf(ref, list, results)
	if err := a.print(report, func(w io.Writer) { checkText(w, report) }); err != nil {
		return err
	}
	if report.Summary.Missing > 0 && !o.sources {
		a.hint("sources were not asked for what mirrors lack; --sources asks them too")
	}
	for _, h := range l.hintsFor(ref, results, found) {
		a.hint(h)
	}
	if code := report.code(results); code != exitOK {
		return &reported{code}
	}
	return nil
}

// parseArchs gives one platform, the program's own, where none is asked for.
func parseArchs(archs []string) ([]provider.Platform, error) {
	if len(archs) == 0 {
		return []provider.Platform{{}}, nil
	}
	var ps []provider.Platform
	for _, arch := range archs {
		if arch == "" {
			return nil, usagef("--arch has an empty entry; want ARCH or OS/ARCH[/VARIANT],...")
		}
		p, err := parseArch(arch)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// check asks for all items. A --timeout that runs out is a result, an interruption an
// error.
func (l *lookups) check(ctx context.Context, items []check.Item, o checkOptions) ([]check.Result, authfile.Found, error) {
	candidates, unmirrored := l.places(items)
	if unmirrored > 0 && len(l.policies.loaded) > 0 {
		l.notef("no mirror in these policies for %s of %d; asked for at the source", plural(unmirrored, "image"), len(items))
	}
	found, err := l.credentials(ctx, candidates)
	if err != nil {
		return nil, found, err
	}
	var done, bad atomic.Int64
	stop := l.progressOf(func() string {
		s := "checking " + bar(int(done.Load()), len(items))
		if n := bad.Load(); n > 0 {
			s += fmt.Sprintf(", %d not to be had", n)
		}
		return s
	})
	defer stop()
	results, err := check.Run(l.traced(ctx), check.Config{
		Head: l.prober(), Rules: l.policies.rules, Credentials: found.Credentials, Sources: o.sources,
		PerRegistry: o.perRegistry, Observer: l.observer(),
		Done: func(r check.Result) {
			done.Add(1)
			if r.Err != nil {
				bad.Add(1)
			}
		},
	}, items)
	stop()
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, found, context.Cause(ctx)
	}
	return results, found, nil
}

// hintsFor are what to do about images that could not be asked for.
func (l *lookups) hintsFor(ref refArg, results []check.Result, found authfile.Found) []string {
	var attempts []provider.Attempt
	for _, r := range results {
		if r.Err != nil && !r.Missing() {
			attempts = append(attempts, attemptsOf(r)...)
		}
	}
	return l.hints(ref, attempts, l.policies, l.res, found)
}

// prober asks the registries, insecurely where the user calls them all insecure.
func (l *lookups) prober() provider.HeadProvider {
	if !l.policies.insecureAll {
		return l.base
	}
	return provider.HeadFunc(func(ctx context.Context, req provider.Request) (string, error) {
		req.Insecure = true
		return l.base.Head(ctx, req)
	})
}

// places are all candidates of items, for their credentials, and how many items have
// no mirror among theirs. What has no candidates fails when it is asked for.
func (l *lookups) places(items []check.Item) (all []policy.Candidate, unmirrored int) {
	for _, item := range items {
		cands, err := l.policies.rules.Candidates(item.Image)
		if err != nil {
			continue
		}
		mirrored := false
		for _, c := range cands {
			mirrored = mirrored || c.Mirror
		}
		if !mirrored {
			unmirrored++
		}
		all = append(all, cands...)
	}
	return all, unmirrored
}

// attemptsOf are the endpoints that were asked for an image.
func attemptsOf(r check.Result) []provider.Attempt {
	if e, ok := errors.AsType[*chain.Error](r.Err); ok {
		return e.Attempts
	}
	return r.Found.Attempts
}
