package payload

import (
	"fmt"
	"net"
	"sync"
)

// ports hands out free ports to one payload at a time.
type ports struct {
	mu   sync.Mutex
	used map[int]bool
}

// take reserves n ports that nobody listens on. Another program may still take one first;
// the caller then tries others.
func (p *ports) take(n int) (_ []int, err error) {
	var taken []int
	var open []net.Listener
	defer func() {
		for _, l := range open {
			l.Close()
		}
		if err != nil {
			p.give(taken)
		}
	}()
	for len(taken) < n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return taken, fmt.Errorf("finding a free port: %w", err)
		}
		open = append(open, l) // so that the next one is another
		if port := l.Addr().(*net.TCPAddr).Port; p.reserve(port) {
			taken = append(taken, port)
		}
	}
	return taken, nil
}

func (p *ports) reserve(port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used[port] {
		return false
	}
	if p.used == nil {
		p.used = make(map[int]bool)
	}
	p.used[port] = true
	return true
}

func (p *ports) give(taken []int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, port := range taken {
		delete(p.used, port)
	}
}
