package diskcache

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// MaxValue bounds the value of an entry of [State], in bytes.
const MaxValue = 4 << 10

// State is the half of a [Cache] that remembers small facts by key. All methods may
// be called from many goroutines at once.
type State struct{ cache *Cache }

// State returns the state in the directory. That of a nil Cache keeps nothing.
func (c *Cache) State() State { return State{c} }

// Get returns the value that was put under key, by this process or another. An entry
// that is not as it was written, or was written under another key, is removed and
// counts as absent.
func (s State) Get(key string) (value []byte, ok bool) {
	c := s.cache
	if c == nil {
		return nil, false
	}
	name := hex.EncodeToString(c.names.sum(key))
	b, ok := c.state.read(name, sha256.Size+MaxValue)
	if !ok {
		return nil, false
	}
	value, ok = c.seals.open(name, b)
	if !ok {
		c.state.damaged(name)
	}
	return value, ok
}

// Put keeps value, of at most [MaxValue] bytes, under key, in place of what was there.
// The key may be secret. The value should not be: it is kept as it is.
//
// Unlike content an entry is not flushed to the disk: after a power cut it may be gone.
func (s State) Put(key string, value []byte) {
	c := s.cache
	if c == nil || len(value) > MaxValue {
		return
	}
	name := hex.EncodeToString(c.names.sum(key))
	c.state.write(name, c.seals.seal(name, value), false)
}

// Delete removes the entry under key, for all processes. This takes no room on the
// disk. Where the disk refuses even that, the entry is gone for this process.
func (s State) Delete(key string) {
	if c := s.cache; c != nil {
		c.state.drop(hex.EncodeToString(c.names.sum(key)))
	}
}

func isEntry(name string) bool { return isHex(name, sha256.Size) }

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

// seal returns the file of an entry: a hash of its name and its value, then the value.
// Names have one length, so no two pairs of them give the same text.
func (k subkey) seal(name string, value []byte) []byte {
	return append(k.sum(name, string(value)), value...)
}

// open returns the value in the file of an entry.
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
