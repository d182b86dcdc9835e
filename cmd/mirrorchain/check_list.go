package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/imagelist"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/layout"
)

func (a *app) checkCmd() *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check [-f FILE|-] IMAGE...",
		Short: "Find out whether images are on the mirrors",
		Long: `check asks the mirrors for any images: those that are named, and those in files. For the
images of a release see 'mirrorchain release check'.

-f FILE, or -f - for standard input, reads one of these; the content decides:
  - a list of pull specs, one a line; empty lines and comments, from # on, are left out
  - mapping.txt of oc-mirror, or what 'oc image mirror -f' reads; the sources are checked
  - objects of Kubernetes in YAML or JSON: the image of every container, also of templates,
    of image volumes, imported disks, catalog sources and image streams, and variables
    RELATED_IMAGE_*; what a status says of containers is left out
  - an operator catalog, file-based, in YAML or JSON: bundles and their relatedImages
  - an ImageSetConfiguration of oc-mirror: the additionalImages
-f FOLDER reads the *.json, *.yaml and *.yml below it.

With --from alone, every image in PATH that has a name there is checked. Exit code 1
says that these are good, and that a name stands for nothing that can be read.

` + checkHelp,
		Example: `  # is all that the operators need on the mirrors?
  mirrorchain check -s cluster: -f catalog.json

  # what does a namespace run, and could it be pulled again?
  oc get deployments -n my-app -o yaml | mirrorchain check -s cluster: -f -

  # did oc-mirror copy everything that it was told to?
  mirrorchain check -s cluster-resources/ --all-mirrors -f working-dir/dry-run/mapping.txt

  # is the archive as it was written?
  mirrorchain check --from /mnt/usb/mirror`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args)+len(o.files) == 0 && a.fromPaths() == "" {
				return failure.Usagef("'%s' needs an image reference, or -f FILE", cmd.CommandPath())
			}
			return a.checkImages(cmd.Context(), args, o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "filename", "f", nil, "`FILE` or folder that names images, - for standard input; repeatable")
	return a.checkFlags(cmd, &o, "`PLATFORMS` whose entries an index has to have: ARCH or OS/ARCH[/VARIANT],... (default: entries are not asked for)")
}

func (a *app) checkImages(ctx context.Context, args []string, o checkOptions) error {
	platforms, err := o.platforms()
	if err != nil {
		return err
	}
	list := newImageList()
	var images []imagelist.Image
	for _, arg := range args {
		ref, err := parseRef(arg)
		if isFile(arg) {
			err = failure.Usagef("%s is a file: what names images is given with -f %s", arg, quoted(arg))
		}
		if err != nil {
			return err
		}
		images = append(images, imagelist.Image{Ref: ref.Ref})
	}
	for _, name := range o.files {
		found, leftOut, err := a.readImages(name)
		if err != nil {
			return err
		}
		images, list.leftOut = append(images, found...), append(list.leftOut, leftOut...)
	}
	ctx, cancel := a.withTimeout(ctx)
	defer cancel()
	p, err := a.loadPolicies(ctx)
	if err != nil {
		return err
	}
	a.warn(p.warnings())
	l := &lookups{app: a, policies: p}
	if l.base, err = a.reader(nil); err != nil {
		return err
	}
	defer l.close()
	if l.chain, err = chain.New(l.base, func() *policy.Rules { return p.rules }); err != nil {
		return err
	}
	store, whole := l.base.(onDisk)
	if whole = whole && len(args)+len(o.files) == 0; whole {
		if images, list.leftOut, err = a.named(store); err != nil {
			return err
		}
	}
	for _, image := range images {
		list.add(image.Name, image.Ref)
		for _, p := range platforms {
			list.add(image.Name, image.Ref, p)
		}
	}
	err = l.check(ctx, list, o)
	if err == nil && whole && len(list.leftOut) > 0 {
		return &failure.Reported{Code: failure.ExitFailed} // what PATH was to have is not known
	}
	return err
}

// readImages returns the images that a file names, or the files below a folder, and the
// entries that name none.
func (a *app) readImages(name string) (images []imagelist.Image, leftOut []string, err error) {
	shown := name
	if name == "-" {
		shown = "standard input"
		images, leftOut, err = imagelist.Read(shown, a.sys.Stdin)
	} else {
		err = eachFile(name, func(file string) error {
			f, err := os.Open(file)
			if err != nil {
				return fmt.Errorf("-f: %w", err)
			}
			defer f.Close()
			found, skipped, err := imagelist.Read(file, f)
			images, leftOut = append(images, found...), append(leftOut, skipped...)
			return err
		})
	}
	if err != nil {
		return nil, nil, err
	}
	for _, w := range leftOut {
		a.warnf("%s", w)
	}
	if len(images) == 0 {
		return nil, nil, fmt.Errorf("%s names no image", shown)
	}
	return images, leftOut, nil
}

// eachFile calls read for a file, or for the files with objects below a folder.
func eachFile(name string, read func(file string) error) error {
	if info, err := os.Stat(name); err != nil || !info.IsDir() {
		return read(name)
	}
	root := name + string(filepath.Separator) // a link to a folder is followed
	return filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		hidden := file != root && strings.HasPrefix(d.Name(), ".") // .git, or ..data of a mounted volume
		switch {
		case err != nil:
			return fmt.Errorf("-f: %w", err)
		case hidden && d.IsDir():
			return fs.SkipDir
		case hidden, d.IsDir(), !slices.Contains(objectFiles, filepath.Ext(file)):
			return nil
		}
		return read(file)
	})
}

// objectFiles are the files that count in a folder.
var objectFiles = []string{".json", ".yaml", ".yml"}

// named returns the images that have a name on disk. They are asked for by digest, and an
// image without a host of its own gets one that says where it is.
func (a *app) named(store onDisk) (images []imagelist.Image, leftOut []string, err error) {
	leave := func(format string, args ...any) {
		leftOut = append(leftOut, fmt.Sprintf(format, args...))
		a.warnf(format, args...)
	}
	names, err := store.Names()
	for _, err := range each(err) {
		leave("%v; left out", err)
	}
	for _, n := range names {
		ref, err := refOf(n)
		if err != nil {
			leave("%s:%s: %v; left out", n.Repository, n.Tag, err)
			continue
		}
		images = append(images, imagelist.Image{Name: nameOf(n), Ref: ref})
	}
	if len(images) == 0 {
		return nil, nil, fmt.Errorf("no image has a name in %s; name one by digest", a.fromPaths())
	}
	return images, leftOut, nil
}

// each returns the errors that err joins.
func each(err error) []error {
	switch joined, ok := err.(interface{ Unwrap() []error }); {
	case ok:
		return joined.Unwrap()
	case err != nil:
		return []error{err}
	}
	return nil
}

func nameOf(n layout.Name) string {
	switch {
	case n.Repository == "":
		return n.Tag
	case n.Tag == "":
		return n.Repository
	}
	return n.Repository + ":" + n.Tag
}

// localHost is the registry of images that have none on disk (RFC 2606: nobody has it).
const localHost = "disk.invalid"

func refOf(n layout.Name) (imageref.Ref, error) {
	repository := n.Repository
	if repository == "" {
		repository = "image"
	}
	if ref, err := imageref.Parse(repository + "@" + n.Digest); err == nil && ref.Name() == repository {
		return ref, nil
	}
	return imageref.Parse(localHost + "/" + repository + "@" + n.Digest)
}
