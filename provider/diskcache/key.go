package diskcache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
)

// keyFile is beside the entries of state and is none. All processes share it.
const (
	keyFile = "key"
	keySize = 32
)

// loadKey reads the key, or makes one. Of processes that make one at the same time
// the first wins, and the others use its key.
func loadKey(b *bucket) (subkey, error) {
	for range 3 {
		k, err := readKey(b)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
		if err := makeKey(b); err != nil {
			return nil, fmt.Errorf("making the key of the state: %w", err)
		}
	}
	return nil, errors.New("the key of the state goes as soon as it is made")
}

// readKey reads the key. One that is no key, or none any more, is put aside: then the
// entries that were made with it are lost, which is what they are anyway.
func readKey(b *bucket) (subkey, error) {
	info, err := b.root.Lstat(keyFile)
	if err != nil {
		return nil, err
	}
	if m := info.Mode(); !m.IsRegular() || m.Perm()&0o077 != 0 || !mine(info) {
		return nil, fmt.Errorf("%s/%s (mode %#o) is not this user's alone; remove it, and a new one is made", b.name, keyFile, m.Perm())
	}
	k, err := b.root.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	if len(k) != keySize {
		if err := b.root.Rename(keyFile, keyFile+"-aside-"+rand.Text()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fs.ErrNotExist
	}
	return k, nil
}

func makeKey(b *bucket) error {
	k := make([]byte, keySize)
	rand.Read(k) // never fails
	tmp, err := b.temporary(k, true)
	if err != nil {
		return err
	}
	defer func() { _ = b.root.Remove(tmp) }()
	if err := b.step("key written"); err != nil {
		return err
	}
	err = b.root.Link(tmp, keyFile) // unlike a rename, never in place of another's
	switch {
	case err == nil, errors.Is(err, fs.ErrExist):
		return nil
	}
	return b.root.Rename(tmp, keyFile) // a disk without links: the last one wins
}
