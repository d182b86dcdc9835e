package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/provider"
)

// program is where a release has a program for people.
type program struct {
	component string
	path      string
}

// programs are those that 'oc adm release extract --command' knows too, for Linux.
var programs = map[string]program{
	"oc":                          {"cli", "usr/bin/oc"},
	"kubectl":                     {"cli", "usr/bin/kubectl"},
	"openshift-install":           {"installer", "usr/bin/openshift-install"},
	"openshift-baremetal-install": {"baremetal-installer", "usr/bin/openshift-baremetal-install"},
	"ccoctl":                      {"cloud-credential-operator", "usr/bin/ccoctl"},
}

func programNames() []string { return slices.Sorted(maps.Keys(programs)) }

func (a *app) releaseExtractCmd() *cobra.Command {
	var o fileOptions
	var files []string
	var command string
	cmd := &cobra.Command{
		Use:   "extract [REF] (--file PATH... | --command NAME)",
		Short: "Write files or a program of a release",
		Long: `release extract reads files of a release image, or a command line program such as oc from
the components of a release, through the mirrors. Each layer is verified by its digest
before any part of it is used.

--file is a name in release-manifests, a path, or a pattern with *; DIR/** is everything
below DIR. Without --to the files are printed. --command is one of ` + strings.Join(programNames(), ", ") + `,
for Linux on --arch, and is written to the folder of --to, by default this one.

openshift-install asks OPENSHIFT_INSTALL_RELEASE_IMAGE_OVERRIDE which release to install;
stderr says what to set it to. REF is as for release info.`,
		Example: `  # the client that belongs to the release that the cluster runs
  mirrorchain release extract --command oc --to ~/bin

  # all manifests
  mirrorchain release extract --file 'release-manifests/**' --to manifests/ 4.17.3

  # one of them, to look at
  mirrorchain release extract --file image-references REF | jq .metadata`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneRef(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(files) == 0) == (command == "") {
				return failure.Usagef("'%s' needs either --file or --command", cmd.CommandPath())
			}
			if command == "" {
				return a.extractFiles(cmd.Context(), args, files, o)
			}
			p, ok := programs[command]
			if !ok {
				return failure.Usagef("--command %s: want one of %s; other files of a component are read with 'mirrorchain image files'", command, strings.Join(programNames(), ", "))
			}
			if o.to == "" {
				o.to = "."
			}
			return a.extractProgram(cmd.Context(), args, p, o)
		},
	}
	archFlag(cmd, &o.arch)
	a.fromFlag(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&files, "file", nil, "`PATH` of files in the release image; repeatable")
	f.StringVar(&command, "command", "", "`NAME` of a program of the release")
	f.StringVar(&o.to, "to", "", "write below `DIR`, which is made if it does not exist")
	complete(cmd, "file", cobra.NoFileCompletions)
	complete(cmd, "command", cobra.FixedCompletions(programNames(), cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "to", dirs)
	return cmd
}

func (a *app) extractFiles(ctx context.Context, args, files []string, o fileOptions) error {
	var patterns []string
	for _, f := range files {
		if f == "" {
			return failure.Usagef("--file is empty; want the path of a file")
		}
		patterns = append(patterns, manifestPath(f))
	}
	if err := a.checkFiles(o, patterns); err != nil {
		return err
	}
	return a.asking(ctx, o.arch, a.releaseOf(args), func(ctx context.Context, l *lookups, ref refArg, platform provider.Platform) error {
		return l.useFiles(ctx, ref, platform, patterns, o)
	})
}

func (a *app) extractProgram(ctx context.Context, args []string, p program, o fileOptions) error {
	return a.asking(ctx, o.arch, a.releaseOf(args), func(ctx context.Context, l *lookups, ref refArg, platform provider.Platform) error {
		rel, err := l.lookup(ctx, ref, platform)
		if err != nil {
			return err
		}
		c, ok := rel.Component(p.component)
		if !ok {
			return &provider.Error{Class: provider.ClassNotFound, Err: fmt.Errorf("release %s has no component %q, which has the program", rel.Version(), p.component)}
		}
		image := refArg{c.Canonical.String(), c.Canonical}
		of, err := l.alsoFor(ctx, image)
		if err != nil {
			return err
		}
		o.flat = true
		if err := of.useFiles(ctx, image, platform, []string{p.path}, o); err != nil {
			return err
		}
		if strings.HasSuffix(p.path, "-install") {
			if by, err := ref.Normalize().WithDigest(cmp.Or(rel.IndexDigest(), ref.Digest(), rel.Digest())); err == nil {
				a.notef("to install this release: OPENSHIFT_INSTALL_RELEASE_IMAGE_OVERRIDE=%s", by)
			}
		}
		return nil
	})
}
