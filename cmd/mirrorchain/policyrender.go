package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/outdir"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
)

// policyRenderOptions are the flags of policy render.
type policyRenderOptions struct {
	dir           string
	imagePolicies []string
	overwrite     bool
}

// rendered is the result of policy render.
type rendered struct {
	Directory string         `json:"directory"`
	Files     []renderedFile `json:"files"`
	notices.Notices
}

type renderedFile struct {
	Name   string `json:"name"` // below Directory
	Status string `json:"status"`
	Bytes  int    `json:"bytes"`
}

func (a *app) policyRenderCmd() *cobra.Command {
	var o policyRenderOptions
	cmd := &cobra.Command{
		Use:   "render -d DIR",
		Short: "Write the files that nodes would have for these policies",
		Long: `policy render writes the files that the machine-config operator would write below
/etc/containers of a node:
  - registries.conf: the mirrors
  - policy.json: which images need a signature, and which are rejected because of
    blockedRegistries or allowedRegistries
  - registries.d/sigstore-registries.yaml: where signatures are looked for, for each scope
    of an image policy and each of its mirrors; left out if there is no image policy, as
    on a node
They can be tried with podman, skopeo and other programs. They mean the same as the files of
the machine-config operator, but are not the same byte for byte. Tables of drop-ins stay
drop-ins, in registries.conf.d.

Image policies are those of --image-policy. Without it there are none. Policies for which
the machine-config operator would write nothing are refused, and so are replacements of
--registry-overrides, which nodes do not have. The repository of the release that a cluster
runs is not rejected, even if a blocked scope contains it. The policies must name that
release: in a ClusterVersion, a HostedCluster or a HostedControlPlane. What depends on more
than policies is left out: the search registries of the cluster, and files from elsewhere.

A file that exists with another content is only replaced with --overwrite. Either all files
are written or none.`,
		Example: `  # what nodes of 4.21 would have
  mirrorchain policy render -s idms.yaml --image-policy openshift-4.21 -d containers/

  # what the nodes of this cluster should have
  mirrorchain policy render -s cluster: --image-policy cluster: -d containers/`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.policyRender(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVarP(&o.dir, "dir", "d", "", "write into the folder `DIR`, which is made if it does not exist")
	f.BoolVar(&o.overwrite, "overwrite", false, "replace existing files")
	imagePolicyFlag(cmd, &o.imagePolicies, "default none")
	complete(cmd, "dir", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	})
	return showing(cmd, policyFlags, outputFlags)
}

func (a *app) policyRender(ctx context.Context, o policyRenderOptions) error {
	if o.dir == "" {
		return failure.Usagef("policy render needs a folder to write into: -d DIR")
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	a.opts.usesCluster = a.opts.usesCluster || slices.Contains(o.imagePolicies, clusterScheme+":")
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return err
	}
	if err := refusedToRender(p.rules); err != nil {
		return err
	}
	a.warn(p.warnings())
	var images signatures.Policies
	if len(o.imagePolicies) > 0 {
		read, err := a.imagePolicies(ctx, o.imagePolicies)
		if err != nil {
			return err
		}
		images = *read
	} else {
		a.notef("no image policies: no --image-policy was given; nodes of 4.21 and later have openshift-4.21 or a later one")
	}
	isRunning := slices.ContainsFunc(p.loaded, func(p policy.Policy) bool { return len(p.Payloads) > 0 })
	if blocked := p.rules.Blocked(); len(blocked) > 0 && !isRunning {
		a.notef("no policy says which release runs, so nothing is exempt from blocked registries; add the ClusterVersion: oc get clusterversion version -o yaml")
	}
	files, err := nodefiles.Render(p.rules, p.loaded, images.All...)
	if err != nil {
		return err
	}
	var write []outdir.File
	for _, f := range files {
		write = append(write, outdir.File(f))
	}
	status, err := outdir.Write(o.dir, write, o.overwrite)
	if err != nil {
		return err
	}
	out := rendered{Directory: o.dir, Notices: p.notices()}
	for i, f := range files {
		out.Files = append(out.Files, renderedFile{f.Name, status[i], len(f.Data)})
	}
	a.warnLeftOver(o.dir, files)
	return a.print(out, func(w io.Writer) {
		var rows [][]string
		for _, f := range out.Files {
			rows = append(rows, []string{filepath.Join(out.Directory, f.Name), f.Status, fmt.Sprintf("%d bytes", f.Bytes)})
		}
		output.Table(w, "", rows)
	})
}

// refusedToRender returns an error for rules of which the machine-config operator would write
// nothing.
func refusedToRender(rules *policy.Rules) error {
	var refused []error
	for _, w := range rules.Warnings() {
		if w.Code == policy.WarnStrictConflict {
			refused = append(refused, errors.New(notices.Sentence(w)))
		}
	}
	return errors.Join(refused...)
}

// warnLeftOver names files that are in dir, and that a node would not have.
func (a *app) warnLeftOver(dir string, files []nodefiles.File) {
	old, err := filepath.Glob(filepath.Join(dir, nodefiles.DropIns))
	if err != nil {
		return
	}
	for _, path := range append(old, filepath.Join(dir, nodefiles.SigstoreRegistries)) {
		isNew := slices.ContainsFunc(files, func(f nodefiles.File) bool { return filepath.Join(dir, f.Name) == path })
		if _, err := os.Lstat(path); err == nil && !isNew {
			a.warnf("%s was there before, and nodes would not have it with these policies; remove it", path)
		}
	}
}
