package httpserver

import (
	"context"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// Payloads finds what is served under a token. [*tokens.Store] is one. The time that a
// lookup takes must reveal nothing about tokens that resemble the one asked for.
type Payloads interface {
	Lookup(token string) (tokens.Payload, bool)
}

// Hooks are called after a payload was served. Fields may be nil. The calls for one token
// Secret come one at a time, those for different Secrets at once, and no node waits for
// them. Their context ends when the server stops and its time to drain is over.
type Hooks struct {
	// Served is called for each payload served. It writes the event Normal, GetPayload,
	// on the token Secret.
	Served func(ctx context.Context, secret Secret)
	// Reached is called once a payload of the Secret was served, until it returns nil,
	// with pauses that double from a second to a minute. It annotates the Secret with
	// [tokens.AnnotationReached]. It also returns nil if the Secret is gone.
	Reached func(ctx context.Context, secret Secret) error
}

// Secret identifies a token Secret whose payload was served. A Secret that was deleted
// and made again under its name is a different one.
type Secret struct {
	Name string
	UID  string // "" if it is not known
}

// Metrics counts. It is called on the request's path and must be fast.
type Metrics interface {
	// Get counts a payload served to a node of a node pool, "namespace/name":
	// ign_server_get_request.
	Get(nodePool string)
}

// Config configures [New].
type Config struct {
	// Address is where to listen; "" is "0.0.0.0:9090". Listener, if not nil, is used
	// instead, and closed.
	Address  string
	Listener net.Listener
	// CertFile and KeyFile are the serving certificate. They are watched and reloaded.
	CertFile, KeyFile string
	// CertPoll is how often they are also read without an event; 0 is 10 s.
	CertPoll time.Duration

	Payloads Payloads // required
	Hooks    Hooks
	Metrics  Metrics // nil counts nothing

	// Healthy decides whether /healthz answers 200 or 503, Ready the same of /readyz; nil is
	// 200. A server that stops is neither.
	Healthy, Ready func() bool
	// Linger is how long a server that is to stop goes on serving while it is not ready any more.
	Linger time.Duration
	// Drain is how long requests and hooks under way may take after that; 0 is 15 s.
	Drain time.Duration
	// Log is nil for silence. No entry has a token.
	Log *zap.Logger
}
