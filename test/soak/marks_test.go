package soak_test

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
)

// marks remembers which question was answered with what. It takes as much memory in the
// end as in the beginning, so that it cannot pass for a leak, nor hide one.
type marks struct {
	mu    sync.Mutex
	slots [][16]byte // by hash, then the next that is free
	used  int
}

// There are fewer questions than that by far: some 60 references, 2 platforms, 12
// versions of the rules and 9 sets of credentials, some by tag with 9 answers.
const markSlots = 1 << 16

func newMarks() *marks { return &marks{slots: make([][16]byte, markSlots)} }

// add reports whether there was room.
func (m *marks) add(k flight, digest string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, found := m.find(k, digest)
	if found != ([16]byte{}) {
		m.used++
		m.slots[at] = found
	}
	return m.used < markSlots*3/4
}

func (m *marks) has(k flight, digest string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, missing := m.find(k, digest)
	return missing == [16]byte{}
}

// find returns the slot of an answer, and what is missing there if it is free. The
// caller holds m.mu.
func (m *marks) find(k flight, digest string) (at int, missing [16]byte) {
	sum := sha256.Sum256(append(k[:], digest...))
	h := [16]byte(sum[:16])
	for at = int(binary.BigEndian.Uint64(h[:]) % markSlots); ; at = (at + 1) % markSlots {
		switch m.slots[at] {
		case h:
			return at, [16]byte{}
		case [16]byte{}:
			return at, h
		}
	}
}

// mark adds to m, which there must be room for.
func (s *soak) mark(m *marks, k flight, digest string) {
	if !m.add(k, digest) {
		s.fail("more answers than can be remembered: make markSlots larger")
	}
}
