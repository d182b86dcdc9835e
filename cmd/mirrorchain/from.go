package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/layout"
)

// fromFlag adds --from to a command.
func (a *app) fromFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&a.opts.from, "from", nil, "read `PATH`, a folder or an archive, and ask no registry; repeatable: several are read as one; see 'mirrorchain help disk'")
	complete(cmd, "from", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveDefault
	})
}

// fromPaths returns what --from names, "" where registries are asked.
func (a *app) fromPaths() string { return strings.Join(a.opts.from, ", ") }

// onDisk is a layout as a reader.
type onDisk struct{ *layout.Store }

// Restore fails: nothing is kept of a layout.
func (onDisk) Restore(_ context.Context, req provider.Request, digest string, _ provider.Platform) (*provider.Release, error) {
	return nil, &provider.Error{Op: "restoring the release", Ref: req.Image, Class: provider.ClassNotFound, Err: errors.New(digest + " is not kept")}
}

// onDisk makes p the policies of a run with --from: they say where an image has to go, and
// nobody is asked by them.
func (p *policies) onDisk() error {
	p.delivery = p.rules
	var err error
	p.rules, err = policy.NewRules(policy.RulesConfig{})
	return err
}

// requestLimit bounds one request of a check. Reading an image from disk may take long.
func (a *app) requestLimit() time.Duration {
	if a.fromPaths() != "" {
		return 24 * time.Hour
	}
	return 0
}

// diskTopic is the help on --from.
const diskTopic = `--from PATH reads images from disk and asks no registry. PATH is one of these; the content
decides, not the name:

  an OCI layout
      A folder with oci-layout and index.json, from skopeo, podman or crane; or a tar
      archive of one (skopeo copy ... oci-archive:FILE, docker save since version 25).
  what 'oc adm release mirror --to-dir DIR' and 'oc image mirror ... file://' wrote
      A folder with v2/REPOSITORY/manifests and blobs.
  archives of oc-mirror v2
      mirror_000001.tar and so on, or the folder with them. All of them are read as one. A
      later archive has only what is new. So name the earlier ones too, each with its own
      --from, or name the cache.
  the cache of oc-mirror v2, or the data of a registry
      The folder with .oc-mirror, or with docker/registry/v2.
  a dir: folder of skopeo and podman
      One image.

Images are found by digest, whatever their name is on the disk. A tag is looked for in the
repository of the reference, and then in all others, where it must name one image only.

GPG signatures that tools left beside the images are found without another flag: in the
folders config (oc), working-dir/signatures and working-dir/cluster-resources (oc-mirror) and
signatures, and as sha256=HEX/signature-1 at the top. They may also be in the folder that
contains the archives. 'release verify --from' and 'release check --from --signatures' use
them.

A tar file may have any of these folders, or the inside of one.

Everything that is used is hashed. Nothing is unpacked, and no link is followed out of the
folder. Compressed archives must be decompressed first. Policies (-s) only say where images
have to go, for -o mirror-list.`
