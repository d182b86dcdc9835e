package controller

import "sync"

// pass is the first pass over the token Secrets that were there when the server
// started: each is served, or was tried in vain, or is gone. The zero value has not
// begun.
type pass struct {
	mu    sync.Mutex
	begun bool
	left  map[string]bool
}

func (p *pass) begin(names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun, p.left = true, map[string]bool{}
	for _, name := range names {
		p.left[name] = true
	}
}

// done notes that a Secret had its turn.
func (p *pass) done(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.left, name)
}

// underWay reports whether some are left.
func (p *pass) underWay() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.left) > 0
}

// over reports whether all had their turn.
func (p *pass) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun && len(p.left) == 0
}
