package diskcache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// markerFile says that a directory is a cache. Its name does: what is in it is for
// people, and may be damaged.
const markerFile = "mirrorchain-disk-cache"

const markerText = `This directory is a cache of mirrorchain. Nothing else should be in it: files are
removed when they have not been used for long. All of it may be removed at any time.
`

// claim makes sure that a directory is a cache, or is empty and becomes one. Somebody's
// home directory is neither.
func claim(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	there, err := d.ReadDir(1) // before looking for the marker, which others make first
	_ = d.Close()
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	info, err := root.Lstat(markerFile)
	switch {
	case err == nil && info.Mode().IsRegular():
		return nil
	case err == nil:
		return fmt.Errorf("%s (%s) is not the file that marks a cache; name another directory", markerFile, info.Mode())
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case len(there) > 0:
		return fmt.Errorf("not a cache (it has no file %s) and not empty (it has %s); name an empty directory, or a new one in it", markerFile, there[0].Name())
	}
	f, err := root.OpenFile(markerFile, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(markerText)
	return errors.Join(err, f.Close())
}

// Names of files that are being written begin so; the rest is from [rand.Text].
const temporaryPrefix = "tmp-"

// isTemporary reports whether a file is one that a process of ours was writing.
func isTemporary(name string) bool {
	random, ok := strings.CutPrefix(name, temporaryPrefix)
	return ok && len(random) >= 26 && strings.Trim(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}
