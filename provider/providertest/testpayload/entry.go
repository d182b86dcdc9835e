package testpayload

import (
	"archive/tar"
	"bytes"
	"os"
	"path"
)

// Entry is one entry of a layer's tar file. Nothing about it is checked: names
// with "..", a hard link to what is not there and the like are what it is for.
type Entry struct {
	// Name is written as it is: "etc/os-release", "./etc", "../../tmp/x".
	Name string
	// Type is one of [archive/tar]'s; 0 is a regular file.
	Type byte
	// Mode is the permission bits; 0 means 0644, or 0755 for a directory.
	Mode int64
	Body []byte
	// Zeros is how many zero bytes follow Body. They take no memory, here or in
	// the compressed layer worth speaking of: an entry of 10 GB is a bomb of 10 MB.
	Zeros int64
	// Target is what a symlink or a hard link points at.
	Target string
	// Repeat writes the entry that many times; 0 means once. Ten million entries
	// are cheap.
	Repeat int

	file     string // on disk, whose content stands before Body
	fileSize int64
}

// File returns a regular file.
func File(name, body string) Entry { return Entry{Name: name, Body: []byte(body)} }

// Executable returns a regular file with mode 0755.
func Executable(name, body string) Entry {
	return Entry{Name: name, Body: []byte(body), Mode: 0o755}
}

// ExecutableFile returns a regular file with mode 0755 and the content of a file on disk.
// It is read each time the layer is, so it must stay as it is. In an uncompressed layer it
// takes no memory.
func ExecutableFile(name, file string) (Entry, error) {
	info, err := os.Stat(file)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Name: name, Mode: 0o755, file: file, fileSize: info.Size()}, nil
}

// Zeros returns a regular file of size zero bytes that takes no memory.
func Zeros(name string, size int64) Entry { return Entry{Name: name, Zeros: size} }

// Dir returns a directory.
func Dir(name string) Entry { return Entry{Name: name, Type: tar.TypeDir} }

// Symlink returns a symbolic link at name to target.
func Symlink(name, target string) Entry {
	return Entry{Name: name, Type: tar.TypeSymlink, Target: target}
}

// HardLink returns a hard link at name to target, a path from the layer's root.
func HardLink(name, target string) Entry {
	return Entry{Name: name, Type: tar.TypeLink, Target: target}
}

// Whiteout deletes name as lower layers have it.
func Whiteout(name string) Entry {
	dir, base := path.Split(name)
	return Entry{Name: dir + ".wh." + base}
}

// OpaqueWhiteout hides everything that lower layers have below dir.
func OpaqueWhiteout(dir string) Entry {
	return Entry{Name: path.Join(dir, ".wh..wh..opq")}
}

// Size returns how many bytes the entry's content has.
func (e Entry) Size() int64 { return e.fileSize + int64(len(e.Body)) + e.Zeros }

// headerBytes returns the header as it stands in the tar file.
func (e Entry) headerBytes() ([]byte, error) {
	var b bytes.Buffer
	err := tar.NewWriter(&b).WriteHeader(e.header())
	return b.Bytes(), err
}

func (e Entry) header() *tar.Header {
	h := &tar.Header{
		Name: e.Name, Typeflag: e.Type, Linkname: e.Target, Mode: e.Mode,
		Size: e.Size(),
	}
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
	}
	if h.Mode == 0 {
		h.Mode = 0o644
		if h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		}
	}
	return h
}
