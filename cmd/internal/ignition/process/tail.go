package process

import "sync"

// Cut begins output whose beginning was not kept.
const Cut = "[...]"

// tail keeps the last bytes written to it.
type tail struct {
	mu    sync.Mutex
	buf   []byte
	max   int
	total int64
}

func newTail(max int) *tail { return &tail{max: max} }

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total += int64(len(p))
	if excess := len(t.buf) + len(p) - t.max; excess > 0 {
		if excess >= len(t.buf) {
			t.buf = t.buf[:0]
		} else {
			t.buf = append(t.buf[:0], t.buf[excess:]...)
		}
	}
	t.buf = append(t.buf, p[max(0, len(p)-t.max):]...)
	return len(p), nil
}

// String returns what is kept, after [Cut] if something is missing.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.total > int64(len(t.buf)) {
		return Cut + string(t.buf)
	}
	return string(t.buf)
}
