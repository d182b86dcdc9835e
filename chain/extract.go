package chain

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// Extract implements [provider.Image]. Each attempt writes into a directory of its own
// inside dir, since two endpoints may be asked at once; the files of the one that
// answers are moved into place.
func (i *image) Extract(ctx context.Context, dir *os.Root, patterns ...string) error {
	if err := provider.CheckPatterns(patterns...); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer removeAttempts(dir)
	defer cancel(nil)
	from, err := read(ctx, i, i.images.files, func(img provider.Image, ctx context.Context) (string, error) {
		name, err := extractBeside(ctx, dir, img, patterns)
		if _, local := errors.AsType[*fs.PathError](err); local {
			cancel(err) // no other endpoint helps
		}
		return name, err
	})
	if err != nil {
		if _, local := errors.AsType[*fs.PathError](context.Cause(ctx)); local {
			return context.Cause(ctx)
		}
		return err
	}
	return moveFiles(dir, from)
}

const attemptPrefix = ".attempt-"

// removeAttempts removes what is left of attempts.
func removeAttempts(dir *os.Root) {
	entries, _ := fs.ReadDir(dir.FS(), ".")
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), attemptPrefix) {
			_ = dir.RemoveAll(e.Name()) // the directory is the caller's, and goes with it
		}
	}
}

// extractBeside extracts into a new directory inside dir and returns its name. After an
// error there is no such directory.
func extractBeside(ctx context.Context, dir *os.Root, img provider.Image, patterns []string) (_ string, err error) {
	name := attemptPrefix + rand.Text()
	if err := dir.Mkdir(name, 0o700); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			_ = dir.RemoveAll(name)
		}
	}()
	into, err := dir.OpenRoot(name)
	if err != nil {
		return "", err
	}
	defer into.Close()
	if err := img.Extract(ctx, into, patterns...); err != nil {
		return "", err
	}
	return name, nil
}

// moveFiles moves the regular files below from to the same names in dir.
func moveFiles(dir *os.Root, from string) error {
	return fs.WalkDir(dir.FS(), from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := name[len(from)+1:]
		if err := dir.MkdirAll(path.Dir(to), 0o755); err != nil {
			return err
		}
		return dir.Rename(name, to)
	})
}
