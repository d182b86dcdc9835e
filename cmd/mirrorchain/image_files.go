package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/provider"
)

// fileOptions say what happens to the files of an image.
type fileOptions struct {
	arch string
	to   string // a folder; "" is stdout
	list bool
	flat bool // without the folders of the image
}

// imageFiles is the JSON of files that were listed or written.
type imageFiles struct {
	Image      string      `json:"image"`
	Digest     string      `json:"digest"` // of the manifest that was read
	PulledFrom string      `json:"pulledFrom"`
	Files      []imageFile `json:"files"`
	notices.Notices
}

type imageFile struct {
	Name string `json:"name"` // in the image
	Size int64  `json:"size"`
	Mode string `json:"mode"`
	Path string `json:"path"` // where it was written; "" if it was only listed
}

func (a *app) imageFilesCmd() *cobra.Command {
	var o fileOptions
	cmd := &cobra.Command{
		Use:   "files IMAGE PATTERN...",
		Short: "Print, list or write files of an image",
		Long: `image files reads an image through its mirrors and prints the files that match any of the
patterns, as a container would see them: upper layers win. Each layer is verified by its
digest before any part of it is used.

A pattern is a path with *, ? and [...] in its parts, and DIR/** is everything below DIR.
If several files match, the name of each is printed before it. With --list only names are
printed. With --to the files are written below a folder, under their names in the image and
with their permissions. Only files are written: for a link, the file that it leads to.`,
		Example: `  mirrorchain image files IMAGE etc/os-release

  # what an operator's catalog has
  mirrorchain image files --list registry.redhat.io/redhat/redhat-operator-index:v4.17 'configs/*/*'

  # below a folder
  mirrorchain image files --to /tmp/manifests IMAGE 'release-manifests/**'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return failure.Usagef("'%s' needs an image and at least one pattern, such as etc/os-release", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var patterns []string
			for _, p := range args[1:] {
				patterns = append(patterns, strings.TrimPrefix(p, "/"))
			}
			return a.imageFiles(cmd.Context(), args[0], patterns, o)
		},
	}
	archFlag(cmd, &o.arch)
	a.fromFlag(cmd)
	cmd.Flags().StringVar(&o.to, "to", "", "write the files below `DIR`, which is made if it does not exist")
	cmd.Flags().BoolVar(&o.list, "list", false, "print only the names")
	complete(cmd, "to", dirs)
	return cmd
}

func (a *app) imageFiles(ctx context.Context, image string, patterns []string, o fileOptions) error {
	if err := a.checkFiles(o, patterns); err != nil {
		return err
	}
	return a.asking(ctx, o.arch, imageOf(image), func(ctx context.Context, l *lookups, ref refArg, platform provider.Platform) error {
		return l.useFiles(ctx, ref, platform, patterns, o)
	})
}

// checkFiles refuses what cannot be done before anybody is asked.
func (a *app) checkFiles(o fileOptions, patterns []string) error {
	switch {
	case o.list && o.to != "":
		return failure.Usagef("--list prints names, and --to writes files; give one of them")
	case !o.list && o.to == "" && !a.opts.output.IsText():
		return failure.Usagef("files are printed as they are, and -o %s means nothing; give --list or --to", a.opts.output)
	}
	if err := provider.CheckPatterns(patterns...); err != nil {
		return &failure.Usage{Err: err}
	}
	return nil
}

// useFiles prints, lists or writes files of an image.
func (l *lookups) useFiles(ctx context.Context, ref refArg, platform provider.Platform, patterns []string, o fileOptions) error {
	image, err := l.image(ctx, ref, platform)
	if err != nil {
		return err
	}
	result := imageFiles{Image: ref.Text, Digest: image.Digest(), Files: []imageFile{}, Notices: l.policies.notices()}
	if o.to != "" {
		if result.Files, err = l.extract(ctx, ref, image, patterns, o); err != nil {
			return err
		}
	} else {
		found, err := l.files(ctx, ref, image, patterns)
		if err != nil {
			return err
		}
		if missing := firstMissing(found, patterns); missing != "" {
			return l.noFile(ctx, ref, image, missing)
		}
		if !o.list {
			return l.printFiles(found)
		}
		if result.Files, err = filesIn(found); err != nil {
			return err
		}
	}
	result.PulledFrom = image.PulledFrom().String()
	return l.print(result, func(w io.Writer) {
		for _, f := range result.Files {
			name := f.Name
			if f.Path != "" {
				name = f.Path
			}
			fmt.Fprint(w, output.Line("%s", name))
		}
	})
}

// filesIn lists the files of fsys.
func filesIn(fsys fs.FS) ([]imageFile, error) {
	files := []imageFile{}
	for _, name := range fileNames(fsys) {
		info, err := fs.Stat(fsys, name)
		if err != nil {
			return nil, err
		}
		files = append(files, imageFile{Name: name, Size: info.Size(), Mode: info.Mode().String()})
	}
	return files, nil
}

// extract writes files below o.to. They are put into place when all of them have been
// read, so that a failure leaves nothing half-written.
func (l *lookups) extract(ctx context.Context, ref refArg, image provider.Image, patterns []string, o fileOptions) ([]imageFile, error) {
	if err := os.MkdirAll(o.to, 0o755); err != nil {
		return nil, err
	}
	target, err := os.OpenRoot(o.to)
	if err != nil {
		return nil, err
	}
	defer target.Close()
	tmp, err := os.MkdirTemp(o.to, ".mirrorchain-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	within, err := target.OpenRoot(filepath.Base(tmp))
	if err != nil {
		return nil, err
	}
	defer within.Close()

	stop := l.progress("reading %s", ref.Text)
	defer stop()
	start := time.Now()
	err = image.Extract(l.traced(ctx), within, patterns...)
	stop()
	if _, local := errors.AsType[*fs.PathError](err); local {
		return nil, fmt.Errorf("writing to %s: %w", o.to, err)
	}
	if err != nil {
		return nil, l.failed(ctx, ref, err, time.Since(start))
	}
	if missing := firstMissing(within.FS(), patterns); missing != "" {
		return nil, l.noFile(ctx, ref, image, missing)
	}
	files, err := filesIn(within.FS())
	if err != nil {
		return nil, err
	}
	for i := range files {
		to := files[i].Name
		if o.flat {
			to = path.Base(to)
		}
		if err := target.MkdirAll(path.Dir(to), 0o755); err != nil {
			return nil, err
		}
		if err := target.Rename(path.Join(filepath.Base(tmp), files[i].Name), to); err != nil {
			return nil, err
		}
		files[i].Path = filepath.Join(o.to, filepath.FromSlash(to))
	}
	return files, nil
}
