package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mirrorchain/mirrorchain/chain/check"
	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/checkreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/signedreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/verifyreport"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// signatureCheck is what release check --signatures asks beside whether images are there.
type signatureCheck struct {
	*checker
	policies *signatures.Policies
	node     node.Node
	done     atomic.Int64
	bad      atomic.Int64
}

// signatureFlags checks the flags that go with --signatures, and reads what they name.
func (a *app) signatureFlags(ctx context.Context, o *checkOptions) (err error) {
	switch {
	case !o.signatures && len(o.imagePolicies) > 0:
		return failure.Usagef("--image-policy means nothing without --signatures")
	case !o.signatures && o.registriesD.dir != "":
		return failure.Usagef("--registries-d means nothing without --signatures")
	case len(o.keyrings) > 0 && (!o.signatures || a.fromPaths() == ""):
		return failure.Usagef("--keyring is for GPG signatures that --from has; it means nothing without --from and --signatures")
	}
	if err := o.registriesD.open(); err != nil {
		return err
	}
	a.opts.usesCluster = a.opts.usesCluster || slices.Contains(o.imagePolicies, clusterScheme+":")
	if len(o.imagePolicies) > 0 {
		o.policies, err = a.imagePolicies(ctx, o.imagePolicies)
	}
	return err
}

// signatures asks every mirror that has an image for its signatures, for the images that
// an image policy covers.
func (c *checker) signatures(ctx context.Context, results []checkreport.Result) (*signedreport.Signatures, error) {
	policies := c.options.policies
	if policies == nil {
		var err error
		if policies, err = c.imagePolicies(ctx, []string{defaultImagePolicy(c.list.releases)}); err != nil {
			return nil, err
		}
	}
	s := &signatureCheck{checker: c, policies: policies}
	s.node = c.options.registriesD.node(c.base, policies, c.policies, c.list.running()...)
	plan, unasked, err := s.plan(ctx, results)
	if err != nil {
		return nil, err
	}
	report := s.config(results)
	if report.Images == 0 {
		c.warnf("no image policy covers an image of this release; scopes are %v", policies.Scopes())
	}
	var manifests []check.Manifest
	for _, p := range plan {
		manifests = append(manifests, p.Manifest)
	}
	defer c.countdown(len(manifests), &s.done, &s.bad)()
	signed, err := check.Signatures(c.traced(ctx), check.SignatureConfig{
		Node: s.node, Rules: c.policies.rules, Credentials: c.found.Credentials,
		PerRegistry: c.options.perRegistry, Request: c.requestLimit(),
		Done: func(r check.Signed) {
			s.done.Add(1)
			if r.Err != nil {
				s.bad.Add(1)
			}
		},
	}, manifests)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	for i := range plan {
		plan[i].Signed = signed[i]
	}
	s.hints(ctx, plan)
	all := slices.Concat(plan, unasked)
	slices.SortStableFunc(all, byImage)
	found := signedreport.New(report, all)
	if found.Assumed() {
		c.noteAssumed()
	}
	return found, nil
}

// gpg judges the GPG signatures that --from has of each release.
func (c *checker) gpg(ctx context.Context) ([]*verifyreport.Report, error) {
	var out []*verifyreport.Report
	for _, r := range c.list.releases {
		ref, err := imageref.Parse(r.Image)
		if err == nil {
			ref, err = ref.WithDigest(r.Digest)
		}
		if err != nil {
			return nil, err
		}
		arg := refArg{r.Image, ref}
		v, err := c.newVerification(ctx, arg, verifyOptions{keyrings: c.options.keyrings, require: verifyreport.GPG}, c.lookups)
		if err != nil {
			return nil, err
		}
		if err := v.run(ctx, arg, c.lookups); err != nil {
			return nil, err
		}
		v.report.Notices = c.policies.notices()
		out = append(out, v.report)
	}
	return out, nil
}

// config counts images.
func (s *signatureCheck) config(results []checkreport.Result) signedreport.Config {
	cfg := signedreport.Config{Nodes: s.policies.Nodes, Scopes: s.policies.Scopes(), RegistriesD: s.options.registriesD.dir, Disk: s.fromPaths()}
	for _, r := range results {
		if !s.covers(r.Image) {
			continue
		}
		cfg.Images++
		switch r.Status() {
		case checkreport.Found:
		case checkreport.Missing:
			cfg.Absent++
		default:
			cfg.Unknown++
		}
	}
	return cfg
}

func byImage(a, b signedreport.Result) int {
	return strings.Compare(a.Name+a.Platform, b.Name+b.Platform)
}

func (s *signatureCheck) covers(image imageref.Ref) bool { return s.node.Judges(image) }

// plan returns what to ask for. unasked are about endpoints that did not say whether they
// have an image: a node goes on to the next one, until they answer again.
func (s *signatureCheck) plan(ctx context.Context, results []checkreport.Result) (plan, unasked []signedreport.Result, err error) {
	indexes, err := s.indexes(ctx, results)
	if err != nil {
		return nil, nil, err
	}
	checked := make([]check.Result, len(results))
	for i, r := range results {
		checked[i] = r.Result
	}
	matrix := check.NewMatrix(checked)
	for i, r := range results {
		if !s.covers(r.Image) {
			continue
		}
		manifests := map[string]string{"": r.Image.Digest()} // by platform
		if index := indexes[r.Image]; index != nil {
			manifests = make(map[string]string)
			for _, p := range s.list.images[i].platforms {
				if n := p.Choose(index); n >= 0 {
					manifests[p.String()] = index[n].Digest
				}
			}
		}
		for _, e := range r.At {
			state := e.State()
			if state != check.Has && state != check.Failed {
				continue // a node goes on to the next one
			}
			if state == check.Failed && !e.Mirror && r.Status() == checkreport.Missing {
				continue // no mirror has it, and the source cannot be reached from here
			}
			for platform, digest := range manifests {
				if digest == "" {
					digest = e.Digest // by tag
				}
				res := signedreport.Result{
					Platform: platform, Mirror: cmp.Or(s.fromPaths(), matrix.Columns[matrix.Column(r.Image, e)].Name),
					Signed: check.Signed{Manifest: check.Manifest{
						Name: r.Names[0], Image: r.Image, Digest: digest,
						At: policy.Candidate{Ref: e.Ref, Mirror: e.Mirror, Insecure: s.insecureAt(r.Image, e.Ref)},
					}},
				}
				if state == check.Has {
					plan = append(plan, res)
					continue
				}
				res.Err = e.Err
				if len(s.list.images[i].platforms) > 0 && platform == "" {
					res.Digest = "" // of an index that nobody has read
				}
				unasked = append(unasked, res)
			}
		}
	}
	slices.SortStableFunc(plan, byImage)
	return plan, unasked, nil
}

// indexes reads the images of which a node pulls the entry of a platform, each at the first
// endpoint that has it: what a digest names is the same everywhere.
func (s *signatureCheck) indexes(ctx context.Context, results []checkreport.Result) (map[imageref.Ref][]provider.PlatformDigest, error) {
	var items []check.Item
	of := make(map[imageref.Ref]imageref.Ref) // the image by where it is
	insecure := make(map[imageref.Ref]bool)
	for i, r := range results {
		if r.Err == nil && len(s.list.images[i].platforms) > 0 && s.covers(r.Image) {
			at := r.Found.From
			of[at], insecure[at] = r.Image, s.insecureAt(r.Image, at)
			items = append(items, check.Item{Name: r.Names[0], Image: at})
		}
	}
	var mu sync.Mutex
	out := make(map[imageref.Ref][]provider.PlatformDigest)
	read := provider.HeadFunc(func(ctx context.Context, req provider.Request) (string, error) {
		req.Insecure, req.Rules = insecure[req.Image], s.checker.policies.rules
		content, err := s.base.Content(ctx, req)
		if err != nil {
			return "", err
		}
		mu.Lock()
		defer mu.Unlock()
		out[of[req.Image]] = content.Platforms()
		return content.Digest(), nil
	})
	_, err := s.ask(ctx, read, new(policy.Rules), true, items)
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	return out, nil
}

// hints explains a missing signature, once for each mirror, and says how to copy it.
func (s *signatureCheck) hints(ctx context.Context, plan []signedreport.Result) {
	seen := make(map[string]bool)
	for _, r := range plan {
		refused, ok := errors.AsType[*sigstore.Error](r.Err)
		if !ok || len(refused.Errs) > 0 || refused.Unread != "" || seen[r.Mirror] {
			continue
		}
		seen[r.Mirror] = true
		req := provider.Request{Image: r.Image, Credentials: s.found.Credentials, Rules: s.checker.policies.rules}
		if os, arch, ok := strings.Cut(r.Platform, "/"); ok {
			req.Platform = provider.Platform{OS: os, Architecture: arch}
		}
		if e := s.node.At(s.traced(ctx), req, r.At); e.Hint != "" {
			s.hint(r.Mirror + ": " + e.Hint)
		}
		if r.At.Mirror {
			tag := sigstore.Tag(r.Digest)
			s.hint(fmt.Sprintf("to copy one: oc image mirror %s:%s %s:%s", r.Image.Name(), tag, r.At.Ref.Name(), tag))
		}
	}
}

// running returns the releases of the list.
func (l *imageList) running() (out []imageref.Ref) {
	for _, r := range l.releases {
		if ref, err := imageref.Parse(r.Image); err == nil {
			out = append(out, ref)
		}
	}
	return out
}

// defaultImagePolicy names the image policy that the latest of releases brings along. The
// policy of 4.22 is that of all later versions.
func defaultImagePolicy(releases []checkreport.Release) string {
	minor := 21
	for _, r := range releases {
		major, rest, _ := strings.Cut(r.Version, ".")
		text, _, _ := strings.Cut(rest, ".")
		m, err := strconv.Atoi(major)
		n, err2 := strconv.Atoi(text)
		if err == nil && err2 == nil && (m > 4 || m == 4 && n > 21) {
			minor = 22
		}
	}
	return fmt.Sprintf("openshift-4.%d", minor)
}
