package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/lintreport"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/lint"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/authfile"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// policyLintOptions are the flags of policy lint.
type policyLintOptions struct {
	releases []string
	arch     string
	target   string
	failOn   string
}

func (a *app) policyLintCmd() *cobra.Command {
	var o policyLintOptions
	cmd := &cobra.Command{
		Use:   "lint [SOURCE...]",
		Short: "Find what is wrong or surprising about policies before they are applied",
		Long: `policy lint checks policies as one set that is in force together. It finds what the API
server refuses, what the machine-config operator refuses, and what nodes understand in
another way than the author meant. A SOURCE is the same as -s SOURCE. It touches no network,
except to read policies from a cluster and for --release.

Each finding has a code and a severity. It names file, line and object, and says what
happens on a node and how to mend it. The severities are:
  error    something refuses it, or it leaves images without an endpoint
  warning  it is legal, and often not meant
  info     good to know
If a file of a folder cannot be read, the other files are still checked.

With --release each image of the release must have a mirror; the release is looked up
under the policies. With -a it also finds mirrors without an entry in the pull secret. With
--for hosted the policies are checked as imageContentSources of a HostedCluster.

-o sarif is SARIF 2.1.0, for annotations of a pull request. Exit code 1 says that there is
a finding of the severity of --fail-on or a worse one.`,
		Example: `  mirrorchain policy lint policies/

  # what a cluster has, and whether a release is covered
  mirrorchain policy lint -s cluster: --release quay.io/openshift-release-dev/ocp-release@sha256:...

  # in CI
  mirrorchain policy lint policies/ --fail-on warning -o sarif > lint.sarif`,
		RunE: func(cmd *cobra.Command, args []string) error {
			a.opts.sources = append(a.opts.sources, args...)
			return a.policyLint(cmd.Context(), cmd.CommandPath(), o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.releases, "release", nil, "every image of the release `REF` must have a mirror; repeatable")
	archFlag(cmd, &o.arch)
	f.StringVar(&o.target, "for", "nodes", "`TARGET` that the policies are meant for: nodes, or hosted")
	f.StringVar(&o.failOn, "fail-on", lint.Error.String(), "lowest `SEVERITY` that makes the exit code 1: error, warning")
	complete(cmd, "release", cobra.NoFileCompletions)
	complete(cmd, "for", cobra.FixedCompletions([]string{"nodes", "hosted"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "fail-on", cobra.FixedCompletions([]string{"error", "warning"}, cobra.ShellCompDirectiveNoFileComp))
	return offering(cmd, output.JUnit, lintreport.SARIF)
}

func (a *app) policyLint(ctx context.Context, command string, o policyLintOptions) error {
	severities := map[string]lint.Severity{"error": lint.Error, "warning": lint.Warning}
	failOn, ok := severities[o.failOn]
	switch {
	case !ok:
		return failure.Usagef("--fail-on %s: want error or warning", o.failOn)
	case o.target != "nodes" && o.target != "hosted":
		return failure.Usagef("--for %s: want nodes or hosted", o.target)
	case len(a.opts.sources) == 0:
		return failure.Usagef("'%s' needs a source of policies: a file, a folder, cluster:", command)
	}
	platform, err := parseArch(o.arch)
	if err != nil {
		return err
	}
	if err := a.opts.check(); err != nil {
		return err
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	policies, findings, err := a.loadForLint(ctx)
	if err != nil {
		return err
	}
	cfg := lint.Config{Hosted: o.target == "hosted"}
	for _, arg := range o.releases {
		images, err := a.lintImages(ctx, arg, platform)
		if err != nil {
			return err
		}
		cfg.Images = append(cfg.Images, images...)
	}
	findings = append(findings, lint.Check(cfg, policies...)...)
	if a.opts.authfile != "" {
		secrets, err := a.lintPullSecret(ctx, policies)
		if err != nil {
			return err
		}
		findings = append(findings, secrets...)
	}
	report := lintreport.New(findings)
	if err := a.print(report, func(w io.Writer) { report.Text(w, a.look()) }); err != nil {
		return err
	}
	if worst, any := lint.Worst(findings); any && worst >= failOn {
		return &failure.Reported{Code: failure.ExitFailed}
	}
	return nil
}

// loadForLint reads every source. What cannot be understood is a finding; of a folder
// every file is then read by itself.
func (a *app) loadForLint(ctx context.Context) (policies []policy.Policy, findings []lint.Finding, err error) {
	specs := slices.Clone(a.opts.sources)
	for len(specs) > 0 {
		spec := specs[0]
		specs = specs[1:]
		loaded, err := a.loadOne(ctx, spec)
		_, ok := errors.AsType[*policy.InvalidPolicyError](err)
		files := filesOf(spec)
		switch {
		case err == nil:
			policies = append(policies, loaded...)
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case !ok || errors.Is(err, os.ErrNotExist) || errors.Is(err, os.ErrPermission):
			return nil, nil, err
		case len(files) > 0:
			specs = append(files, specs...)
		default:
			findings = append(findings, lint.UnreadableFindings(err)...)
		}
	}
	flags, err := a.flagPolicy()
	return append(policies, flags), findings, err
}

// filesOf returns the files of a folder, as sources, nil for what is no folder.
func filesOf(spec string) []string {
	dir := strings.TrimPrefix(spec, "file:")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return nil
	}
	var files []string
	for _, pattern := range []string{"*.yaml", "*.yml", "*.json", "*.conf"} {
		names, _ := filepath.Glob(filepath.Join(dir, pattern)) // only a bad pattern is an error
		for _, name := range names {
			if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && !strings.HasPrefix(filepath.Base(name), ".") {
				files = append(files, "file:"+name)
			}
		}
	}
	slices.Sort(files)
	return files
}

// loadOne reads the policies of one source.
func (a *app) loadOne(ctx context.Context, spec string) ([]policy.Policy, error) {
	one := *a
	one.opts.sources, one.opts.registryOverrides, one.opts.insecure, one.opts.blocked = []string{spec}, nil, nil, nil
	srcs, err := one.openSources(ctx)
	if err != nil {
		return nil, err
	}
	var policies []policy.Policy
	for _, src := range srcs {
		p, err := src.Load(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s%w", unlessNamed("reading "+src.Name()+": ", err), err)
		}
		a.verbosef("%s: %s", src.Name(), sayPolicy(p))
		policies = append(policies, p)
	}
	return policies, nil
}

// lintImages returns the images of a release.
func (a *app) lintImages(ctx context.Context, arg string, platform provider.Platform) ([]lint.Image, error) {
	ref, err := parseRef(arg)
	if err != nil {
		return nil, err
	}
	list, err := a.listRelease(ctx, ref, platform)
	if err != nil {
		return nil, err
	}
	var images []lint.Image
	for _, image := range list.images {
		name := strings.Join(image.names, ", ")
		images = append(images, lint.Image{Name: name, Ref: image.ref, Boot: strings.HasPrefix(name, bootImageName)})
	}
	return images, nil
}

// lintPullSecret finds mirrors for which the pull secret of nodes has no entry.
func (a *app) lintPullSecret(ctx context.Context, policies []policy.Policy) ([]lint.Finding, error) {
	var refs []imageref.Ref
	origins := make(map[string][]string) // by registry
	for _, p := range policies {
		for _, r := range p.Rules {
			for _, m := range r.Mirrors {
				ref, err := imageref.Parse(m.Location + "/image")
				if err != nil {
					continue // another finding says so
				}
				if origins[ref.Registry()] == nil {
					refs = append(refs, ref)
				}
				origins[ref.Registry()] = append(origins[ref.Registry()], r.Origin)
			}
		}
	}
	found, err := authfile.Find(ctx, authfile.Config{Authfile: a.opts.authfile, UID: a.sys.UID}, refs...)
	if err != nil {
		return nil, fmt.Errorf("looking for credentials: %w", err)
	}
	var findings []lint.Finding
	for _, u := range found.Uses {
		host := u.Ref.Registry()
		switch {
		case u.File != a.opts.authfile || u.Entry == "" && u.Helper == "":
			findings = append(findings, lint.New(lint.NoPullSecret, origins[host], "%s has no entry for the mirror %s", a.opts.authfile, host))
		case strings.Contains(strings.TrimPrefix(u.Entry, "https://"), "/"):
			findings = append(findings, lint.New(lint.NoPullSecret, origins[host], "%s has an entry for %s only, not for all of the mirror %s", a.opts.authfile, u.Entry, host))
		}
	}
	return findings, nil
}
