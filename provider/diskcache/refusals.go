package diskcache

import (
	"errors"
	"sync"
	"syscall"
	"time"
)

// A disk that refused nothing for so long is well again.
const refusalOver = time.Hour

// refusals reports what the disk refuses once for as long as it goes on: a full or a
// read-only disk refuses every write.
type refusals struct {
	report func(error)

	mu   sync.Mutex
	last map[syscall.Errno]time.Time
}

func (r *refusals) add(err error) {
	if r.goesOn(err) {
		return
	}
	r.report(err)
}

func (r *refusals) goesOn(err error) bool {
	code, ok := errors.AsType[syscall.Errno](err)
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok := r.last[code]
	if r.last == nil {
		r.last = make(map[syscall.Errno]time.Time)
	}
	r.last[code] = time.Now()
	return ok && time.Since(before) < refusalOver
}

// isFull reports whether a write was refused for want of room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// refusesWrites reports whether a disk is full or read-only, which says nothing of how
// the directory was chosen.
func refusesWrites(err error) bool { return isFull(err) || errors.Is(err, syscall.EROFS) }
