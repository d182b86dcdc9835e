package controller

import "sync"

// sweep is the first pass over the token Secrets that existed when the server started. It
// is over when each of them is served, has failed or is gone. The zero value has not
// begun.
type sweep struct {
	mu      sync.Mutex
	begun   bool
	pending map[string]bool
}

func (s *sweep) begin(names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun, s.pending = true, map[string]bool{}
	for _, name := range names {
		s.pending[name] = true
	}
}

// done records that a Secret was reconciled.
func (s *sweep) done(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, name)
}

// underWay reports whether some are left.
func (s *sweep) underWay() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) > 0
}

// complete reports whether all were reconciled.
func (s *sweep) complete() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun && len(s.pending) == 0
}
