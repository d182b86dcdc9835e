package diskcache

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// MaxNote bounds the value of a note, in bytes.
const MaxNote = 4 << 10

// Note is what was noted under key, by this process or another. A note that is not
// as it was written, or was written under another key, is removed and counts as none.
func (c *Cache) Note(key string) ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	name := hex.EncodeToString(c.names.sum(key))
	b, ok := c.notes.read(name, sha256.Size+MaxNote)
	if !ok {
		return nil, false
	}
	value, ok := c.seals.open(name, b)
	if !ok {
		c.notes.damaged(name)
	}
	return value, ok
}

// PutNote notes value, of at most [MaxNote] bytes, under key, in place of what was
// noted there. The key may be secret, the value should not: it is kept as it is.
//
// Unlike content a note is not flushed to the disk: after a power cut it may be gone.
func (c *Cache) PutNote(key string, value []byte) {
	if c == nil || len(value) > MaxNote {
		return
	}
	name := hex.EncodeToString(c.names.sum(key))
	c.notes.write(name, c.seals.seal(name, value), false)
}

// DropNote ends what was noted under key, for all processes. It takes no room on the
// disk; where the disk refuses even that, it holds for this process.
func (c *Cache) DropNote(key string) {
	if c == nil {
		return
	}
	c.notes.drop(hex.EncodeToString(c.names.sum(key)))
}

func isNote(name string) bool { return isHex(name, sha256.Size) }

// subkey is a key for one purpose.
type subkey []byte

func (k subkey) derive(purpose string) subkey { return k.sum("mirrorchain disk cache 1: " + purpose) }

func (k subkey) sum(parts ...string) []byte {
	m := hmac.New(sha256.New, k)
	for _, p := range parts {
		m.Write([]byte(p))
	}
	return m.Sum(nil)
}

// seal is the file of a note: a hash of its name and its value, and the value. Names
// have one length, so no two pairs of them run together.
func (k subkey) seal(name string, value []byte) []byte {
	return append(k.sum(name, string(value)), value...)
}

// open is the value in the file of a note.
func (k subkey) open(name string, file []byte) ([]byte, bool) {
	if len(file) < sha256.Size {
		return nil, false
	}
	sum, value := file[:sha256.Size], file[sha256.Size:]
	if !hmac.Equal(sum, k.sum(name, string(value))) {
		return nil, false
	}
	return value, true
}
