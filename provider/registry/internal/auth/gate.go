package auth

import (
	"context"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// gate lets one request go first to a host that nobody has spoken to yet, so
// that one of many meets the challenge, and one opens the connection.
type gate struct {
	open  bool
	first *First
}

// First is the request that goes first.
type First struct {
	memory *Memory
	gate   *gate
	once   sync.Once
	gone   chan struct{} // closed when the others may go
	timer  *time.Timer
}

// Enter waits for the one that went first, if there is one, and not for long: a
// host that is slow to answer must not become slower. Where it returns a First,
// the caller goes first, and must call End.
func (m *Memory) Enter(ctx context.Context, cred provider.Credential) (*First, error) {
	id := cred.ID()
	g := &m.gates[0]
	if id != "" {
		g = &m.gates[1]
	}
	m.mu.Lock()
	known := m.known(id) != nil
	if !known && g.open && len(m.tenants) > 0 {
		// Others have met a challenge that is not for this one.
		g = &m.tenant(id).gate
	}
	if g.open || known {
		m.mu.Unlock()
		return nil, nil
	}
	first := g.first
	if first == nil {
		f := &First{memory: m, gate: g, gone: make(chan struct{})}
		f.timer = time.AfterFunc(hold, f.release)
		g.first = f
		m.mu.Unlock()
		return f, nil
	}
	m.mu.Unlock()
	select {
	case <-first.gone:
		return nil, nil
	case <-ctx.Done():
		return nil, wire.ContextError(ctx)
	}
}

// Sent says that the request is on its way.
func (f *First) Sent() {
	if f != nil {
		f.timer.Reset(timeLimit)
	}
}

// End says whether the host answered. It may be called more than once; the first
// call counts. A challenge must have been remembered before.
func (f *First) End(answered bool) {
	if f == nil {
		return
	}
	f.memory.mu.Lock()
	if f.gate.first == f {
		f.gate.first = nil
		f.gate.open = f.gate.open || answered
	}
	f.memory.mu.Unlock()
	f.timer.Stop()
	f.release()
}

func (f *First) release() { f.once.Do(func() { close(f.gone) }) }
