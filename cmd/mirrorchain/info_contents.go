package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/chain"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// manifests is where a release image has its files.
const manifests = "release-manifests/"

// manifestPath returns the path of a file of a release: a name alone is one of manifests.
func manifestPath(file string) string {
	file = strings.TrimPrefix(file, "/")
	if strings.Contains(file, "/") {
		return file
	}
	return manifests + file
}

// image opens an image through the mirrors.
func (l *lookups) image(ctx context.Context, ref refArg, platform provider.Platform) (provider.Image, error) {
	images, err := chain.Images(l.base, l.rules, chain.MirrorsConfig{Observer: l.observer()})
	if err != nil {
		return nil, err
	}
	stop := l.progress("looking up %s", ref.Text)
	defer stop()
	start := time.Now()
	image, err := images.Image(l.traced(ctx), provider.Request{Image: ref.Ref, Platform: platform, Credentials: l.found.Credentials})
	stop()
	if err != nil {
		return nil, l.failed(ctx, ref, err, time.Since(start))
	}
	return image, nil
}

// rules returns the rules in force.
func (l *lookups) rules() *policy.Rules { return l.policies.rules }

// files reads files of an image, and puts the error into words.
func (l *lookups) files(ctx context.Context, ref refArg, image provider.Image, patterns []string) (fs.FS, error) {
	if err := provider.CheckPatterns(patterns...); err != nil {
		return nil, &failure.Usage{Err: err}
	}
	stop := l.progress("reading %s", ref.Text)
	defer stop()
	start := time.Now()
	found, err := image.Files(l.traced(ctx), patterns...)
	stop()
	if err != nil {
		if provider.ClassOf(err) == provider.ClassLimit {
			l.hint("files to be printed are held in memory; 'mirrorchain image files --to DIR' writes larger ones to disk")
		}
		return nil, l.failed(ctx, ref, err, time.Since(start))
	}
	return found, nil
}

// printContents prints files of a release image.
func (l *lookups) printContents(ctx context.Context, ref refArg, platform provider.Platform, files []string) error {
	image, err := l.image(ctx, ref, platform)
	if err != nil {
		return err
	}
	var patterns []string
	for _, f := range files {
		patterns = append(patterns, manifestPath(f))
	}
	found, err := l.files(ctx, ref, image, patterns)
	if err != nil {
		return err
	}
	if missing := firstMissing(found, patterns); missing != "" {
		return l.noFile(ctx, ref, image, missing)
	}
	return l.printFiles(found)
}

// noFile returns the error of a file that an image does not have.
func (l *lookups) noFile(ctx context.Context, ref refArg, image provider.Image, name string) error {
	var names []string
	if dir, _, ok := strings.Cut(name, "/"); ok {
		if siblings, err := image.Files(ctx, dir+"/*"); err == nil {
			names = fileNames(siblings)
		}
		if len(names) == 0 {
			l.hint(fmt.Sprintf("%s has nothing in %s; to see what it has elsewhere: mirrorchain image files --list %s 'FOLDER/**'", ref.Text, dir, ref.Text))
		}
	}
	return notFound(fmt.Sprintf("%s has no file %s", ref.Text, name), name, names)
}

// firstMissing returns the first of patterns that names nothing, "" for none.
func firstMissing(found fs.FS, patterns []string) string {
	for _, p := range patterns {
		if dir, ok := strings.CutSuffix(p, "/**"); ok {
			p = dir
		}
		if names, err := fs.Glob(found, p); err != nil || len(names) == 0 {
			return p
		}
	}
	return ""
}

// fileNames returns the names of all files in fsys.
func fileNames(fsys fs.FS) []string {
	var names []string
	_ = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return nil
	})
	return names
}

// printFiles prints files as they are. Before each of several stands its name. On a
// terminal what would drive it is escaped.
func (l *lookups) printFiles(files fs.FS) error {
	names := fileNames(files)
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		text := string(content)
		if l.look().Terminal {
			text = output.Printable(strings.ToValidUTF8(text, "\ufffd"))
		}
		if len(names) > 1 {
			text = "# " + output.OneLine(name) + "\n" + strings.TrimSuffix(text, "\n") + "\n"
		}
		if _, err := io.WriteString(l.sys.Stdout, text); err != nil {
			return errors.Join(errors.New("writing the result"), err)
		}
	}
	return nil
}
