package diskcache_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/diskcache"
)

// fullDisk is a cache on a disk with so much room, in bytes of whole blocks, for it
// alone.
type fullDisk struct {
	*diskcache.Cache
	*faults
	dir  string
	room int64
}

func full(t *testing.T, room int64) *fullDisk {
	t.Helper()
	d := &fullDisk{faults: &faults{}, dir: t.TempDir(), room: room}
	var err error
	d.Cache, err = diskcache.OpenFailing(diskcache.Config{Dir: d.dir, OnError: d.add}, func(step string) error {
		if step == "half written" && d.used(t) > d.room {
			return &os.PathError{Op: "write", Path: "file", Err: syscall.ENOSPC}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func (d *fullDisk) used(t *testing.T) (n int64) {
	for _, info := range files(t, d.dir) {
		n += (info.Size() + 4095) / 4096 * 4096
	}
	return n
}

// A full disk keeps what was used last, like one that is bounded, and says once that
// it is full.
func TestFullDisk(t *testing.T) {
	d := full(t, 1<<20)
	for n := range 100 {
		b, digest := content(n, 50_000)
		d.Put(digest, b)
		age(t, filepath.Join(d.dir, "blobs"), digest, time.Hour-time.Duration(n)*time.Second)
		if got, ok := d.Get(digest); !ok || !bytes.Equal(got, b) {
			t.Fatalf("number %d is not kept", n+1)
		}
		age(t, filepath.Join(d.dir, "blobs"), digest, time.Hour-time.Duration(n)*time.Second)
	}
	kept := 0
	for n := range 100 {
		_, digest := content(n, 50_000)
		if _, ok := d.Get(digest); ok {
			if kept++; n < 75 {
				t.Errorf("number %d of 100 is still there", n+1)
			}
		}
	}
	if kept < 10 {
		t.Errorf("%d of the last are kept, of about 20 that there is room for", kept)
	}
	if all := d.take(); len(all) != 1 || !strings.Contains(all[0].Error(), "no space left") {
		t.Errorf("reported %v; want once that there is no space left", all)
	}
	d.State().Put("who", []byte("v"))
	if v, ok := d.State().Get("who"); !ok || string(v) != "v" {
		t.Errorf("entry %q, %v", v, ok)
	}
	// One that has no room at all does without, keeps what it has, and is not told of
	// each time.
	d.room = 0
	had := len(files(t, d.dir))
	for n := range 30 {
		b, digest := content(200+n, 900_000)
		d.Put(digest, b)
	}
	if n := len(files(t, d.dir)); n != had || len(d.take()) > 0 {
		t.Errorf("%d files, of %d; a file that is most of the cache is not worth the rest", n, had)
	}
}

// What is dropped is gone for the next process too, when nothing can be written, and
// for this one when nothing can be removed.
func TestDelete(t *testing.T) {
	d := full(t, 1<<20)
	d.State().Put("who", []byte("granted"))
	d.State().Put("other", []byte("granted"))
	d.room = -1
	d.State().Delete("who")
	d.State().Delete("nobody")
	next, _ := open(t, d.dir, 0)
	for name, c := range map[string]*diskcache.Cache{"this process": d.Cache, "the next": next} {
		if v, ok := c.State().Get("who"); ok {
			t.Errorf("%s: %q after it was dropped", name, v)
		}
		if _, ok := c.State().Get("other"); !ok {
			t.Errorf("%s: another entry is gone", name)
		}
	}
	if all := d.take(); len(all) > 0 {
		t.Errorf("reported %v", all)
	}

	d.room = 1 << 20
	var path string
	for name := range files(t, d.dir) {
		if name != "state/key" {
			path = filepath.Join(d.dir, name)
		}
	}
	away := filepath.Join(t.TempDir(), "note")
	rename(t, path, away)
	if err := os.MkdirAll(filepath.Join(path, "stubborn"), 0o700); err != nil { // cannot be removed or emptied
		t.Fatal(err)
	}
	d.State().Delete("other")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	rename(t, away, path)
	for range 2 {
		if v, ok := d.State().Get("other"); ok {
			t.Errorf("%q after it was dropped", v)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("not removed when that became possible")
	}
	if all := d.take(); len(all) != 1 {
		t.Errorf("reported %v; want that it could not be removed", all)
	}
	d.State().Put("other", []byte("again"))
	if v, ok := d.State().Get("other"); !ok || string(v) != "again" {
		t.Errorf("put anew: %q, %v", v, ok)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// What a clock that was ahead marked as used goes first, unless it is used again.
func TestClockWasAhead(t *testing.T) {
	dir := t.TempDir()
	c, _ := open(t, dir, 1<<20) // room for 32 entries
	for n := range 30 {
		c.State().Put(fmt.Sprint("old ", n), []byte("v"))
	}
	future := time.Now().Add(10 * 365 * 24 * time.Hour)
	for name := range files(t, dir) {
		if err := os.Chtimes(filepath.Join(dir, name), future, future); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := c.State().Get("old 7"); !ok {
		t.Fatal("not there")
	}
	for n := range 20 {
		c.State().Put(fmt.Sprint("new ", n), []byte("v"))
	}
	for n := range 20 {
		if _, ok := c.State().Get(fmt.Sprint("new ", n)); !ok {
			t.Errorf("new %d is gone, in favour of what is from the future", n)
		}
	}
	if _, ok := c.State().Get("old 7"); !ok {
		t.Error("what was used since is gone")
	}
}

// What is damaged on the disk is mended by keeping it again, though its size is right.
func TestPutMends(t *testing.T) {
	dir := t.TempDir()
	c, _ := open(t, dir, 0)
	b, digest := content(1, 5_000)
	c.Put(digest, b)
	path := filepath.Join(dir, "blobs", strings.Replace(digest, ":", "-", 1))
	if err := os.WriteFile(path, bytes.ToUpper(b), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Put(digest, b)
	if got, ok := c.Get(digest); !ok || !bytes.Equal(got, b) {
		t.Error("not mended")
	}
}

// Somebody's own files are not ours, whatever they are called.
func TestOpenTouchesNoOthersFiles(t *testing.T) {
	old := time.Now().Add(-time.Hour)
	put := func(t *testing.T, path, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	mine := map[string]string{"state/key": "a private key", "state/tmp-ideas.txt": "ideas", "blobs/tmp-BIG": "x", "letter.txt": "y"}
	for _, marked := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "home")
		for name, text := range mine {
			put(t, filepath.Join(dir, name), text)
		}
		if marked { // even there
			put(t, filepath.Join(dir, "mirrorchain-disk-cache"), "")
		}
		before := len(files(t, dir))
		c, err := diskcache.Open(diskcache.Config{Dir: dir, MaxBytes: 64 << 10})
		if (err == nil) != marked {
			t.Fatalf("marked %v: %v", marked, err)
		}
		if err != nil && (!strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "not empty") || !strings.Contains(err.Error(), "name an empty directory")) {
			t.Errorf("error %q; want what is wrong and what to do", err)
		}
		if err == nil {
			for n := range 40 {
				c.State().Put(fmt.Sprint(n), []byte("v"))
			}
			c.Close()
		} else if n := len(files(t, dir)); n != before {
			t.Errorf("%d files; want the %d there were", n, before)
		}
		var texts []string
		for name := range files(t, dir) {
			b, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(b))
		}
		all := strings.Join(texts, "\n")
		for name, text := range mine {
			if !strings.Contains(all, text) {
				t.Errorf("marked %v: %s is gone", marked, name)
			}
		}
	}
}

// A directory that a volume gives is nobody's; one in it is made, and used again.
func TestDirectoryInAVolume(t *testing.T) {
	volume := t.TempDir()
	if err := os.Chmod(volume, 0o777); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(volume, "cache")
	b, digest := content(1, 100)
	for n := range 2 {
		c, _ := open(t, dir, 0)
		if _, ok := c.Get(digest); ok != (n == 1) {
			t.Errorf("opened for the %d. time: there %v", n+1, ok)
		}
		c.Put(digest, b)
	}
}

// A disk that is full or read-only from the start costs a warning and no more.
func TestNoDisk(t *testing.T) {
	for _, refusal := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		var f faults
		c, err := diskcache.OpenOrDoWithout(diskcache.Config{Dir: filepath.Join(t.TempDir(), "cache"), OnError: f.add}, func(string) error {
			return &os.PathError{Op: "write", Path: "file", Err: refusal}
		})
		if err != nil || c != nil {
			t.Fatalf("%v: %v, a cache %v; want none and no error", refusal, err, c != nil)
		}
		if len(f.all) != 1 || !errors.Is(f.all[0], refusal) || !strings.Contains(f.all[0].Error(), "nothing is kept") {
			t.Errorf("told %v", f.all)
		}
		b, digest := content(1, 100)
		c.Put(digest, b) // a nil Cache does as if it were one
		if _, ok := c.Get(digest); ok || c.Close() != nil {
			t.Error("no cache keeps something")
		}
	}
	// What is wrong with the directory itself is an error still.
	if _, err := diskcache.OpenOrDoWithout(diskcache.Config{Dir: t.TempDir()}, func(string) error { return os.ErrPermission }); err == nil {
		t.Error("no error")
	}
}
