package diskcache

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// maxBlob bounds what is kept under one digest, in bytes.
const maxBlob = 16 << 20

// Get returns the content of a digest, "sha256:..." or "sha512:...". It has been read from
// the disk and verified for this call. What does not match its digest is removed.
func (c *Cache) Get(digest string) ([]byte, bool) {
	name, ok := blobName(digest)
	if c == nil || !ok {
		return nil, false
	}
	b, ok := c.blobs.read(name, maxBlob)
	if !ok {
		return nil, false
	}
	if !matches(b, name) {
		c.blobs.damaged(name)
		return nil, false
	}
	return b, true
}

// Put keeps content under its digest, unless it is there, is larger than 16 MiB, or
// is not what the digest says.
func (c *Cache) Put(digest string, content []byte) {
	name, ok := blobName(digest)
	if c == nil || !ok || len(content) > maxBlob || c.blobs.has(name, content) {
		return
	}
	if !matches(content, name) {
		c.blobs.refusals.report(fmt.Errorf("content that was to be kept as %s is something else", digest))
		return
	}
	c.blobs.write(name, content, true)
}

// blobName returns the name of a digest's file: the digest, with a hyphen.
func blobName(digest string) (string, bool) {
	algorithm, sum, _ := strings.Cut(digest, ":")
	name := algorithm + "-" + sum
	return name, isBlob(name)
}

func isBlob(name string) bool {
	algorithm, sum, _ := strings.Cut(name, "-")
	h := hasher(algorithm)
	return h != nil && isHex(sum, h.Size())
}

func hasher(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	}
	return nil
}

func matches(content []byte, name string) bool {
	algorithm, sum, _ := strings.Cut(name, "-")
	h := hasher(algorithm)
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil)) == sum
}

// isHex reports whether s is n bytes in lower-case hex.
func isHex(s string, n int) bool {
	if len(s) != 2*n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
