// Package outdir writes the files that a command makes into a folder: all of them or none.
package outdir

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
)

// File is one file.
type File struct {
	Name string // below the folder, with slashes
	Data []byte
}

// What came of a file.
const (
	Written   = "written"
	Replaced  = "replaced"
	Unchanged = "unchanged" // it was there, with the same content
)

// Write writes files into dir, which it makes if need be, and returns what came of each. A
// file that is there with another content is an error unless overwrite is set. After an
// error no file has changed, except where renaming the last ones failed, and none is
// half-written. What is outside dir is not touched: a link out of it is an error.
func Write(dir string, files []File, overwrite bool) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	status := make([]string, len(files))
	var errs []error
	for i, f := range files {
		if status[i], err = statusOf(root, f); err == nil && status[i] == Replaced && !overwrite {
			err = errors.New("is there with another content; --overwrite replaces it")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", filepath.Join(dir, f.Name), err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	suffix := ".new-" + rand.Text()[:8]
	defer func() { // of those that were not renamed
		for _, f := range files {
			_ = root.Remove(f.Name + suffix)
		}
	}()
	for i, f := range files {
		if status[i] == Unchanged {
			continue
		}
		if err := write(root, f.Name+suffix, f.Data); err != nil {
			return nil, fmt.Errorf("writing %s: %w", filepath.Join(dir, f.Name), err)
		}
	}
	for i, f := range files {
		if status[i] == Unchanged {
			continue
		}
		if err := root.Rename(f.Name+suffix, f.Name); err != nil {
			return nil, fmt.Errorf("writing %s: %w", filepath.Join(dir, f.Name), err)
		}
	}
	return status, nil
}

func statusOf(root *os.Root, f File) (string, error) {
	info, err := root.Lstat(f.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Written, nil
	case err != nil:
		return "", cause(err)
	case !info.Mode().IsRegular():
		return "", errors.New("is there and is not a regular file")
	}
	have, err := root.ReadFile(f.Name)
	if err != nil {
		return "", cause(err)
	}
	if bytes.Equal(have, f.Data) {
		return Unchanged, nil
	}
	return Replaced, nil
}

// cause returns err without the path, which is said already.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

func write(root *os.Root, name string, data []byte) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return cause(err)
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return cause(err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}
