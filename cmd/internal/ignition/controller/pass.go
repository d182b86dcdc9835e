package controller

import "sync"

// pass is the first pass over the token Secrets that existed when the server started. It
// is over when each of them is served, has failed or is gone. The zero value has not
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

// done records that a Secret was reconciled.
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

// over reports whether all were reconciled.
func (p *pass) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun && len(p.left) == 0
}
