// Package atomicfile writes files that a reader finds as they were before or whole, also
// after a crash.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
)

// Temporary begins the name of a file that is being written, in the directory of the
// file that it replaces. After a crash some may be left; they can be removed.
const Temporary = "tmp-"

// Write makes data the content of the file name in dir, with the permissions perm,
// whatever the file is before. It returns when both are on disk.
func Write(dir *os.Root, name string, data []byte, perm fs.FileMode) (err error) {
	temporary := path.Join(path.Dir(name), Temporary+rand.Text())
	f, err := dir.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = dir.Remove(temporary)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(perm) // whatever the process's mask is
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := dir.Rename(temporary, name); err != nil {
		return err
	}
	return syncDir(dir, path.Dir(name))
}

// syncDir makes a rename in the directory last.
func syncDir(dir *os.Root, name string) error {
	d, err := dir.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
