package endpoint

import (
	"context"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// Payloads finds what is served under a token. [*tokens.Store] is one. How long it
// takes must tell nothing about tokens that are close to the one asked for.
type Payloads interface {
	Lookup(token string) (tokens.Payload, bool)
}

// Hooks are told what was served. Fields may be nil. They are called one at a time
// for each token secret, and for many secrets at once, off the request's path; their
// context ends when the server stops and its time to drain is over.
type Hooks struct {
	// Served is called for each payload served: the event Normal, GetPayload, on the
	// token secret.
	Served func(ctx context.Context, secret Secret)
	// Reached is called once a payload of the secret was served, until it returns nil,
	// with pauses that double from a second to a minute: it annotates the secret with
	// [tokens.AnnotationReached]. It returns nil too where there is no such secret any
	// more.
	Reached func(ctx context.Context, secret Secret) error
}

// Secret is a token secret whose payload was served. One that was deleted and made
// again under its name is another one.
type Secret struct {
	Name string
	UID  string // "" is not known
}

// Metrics counts. It is called on the request's path and must be fast.
type Metrics interface {
	// Get counts a payload served to a node of a node pool, "namespace/name":
	// ign_server_get_request.
	Get(nodePool string)
}

// Config configures [New].
type Config struct {
	// Address to listen on; "" is "0.0.0.0:9090". Listener, if not nil, is used
	// instead, and closed.
	Address  string
	Listener net.Listener
	// CertFile and KeyFile are the serving certificate, reloaded when they change.
	CertFile, KeyFile string
	// CertPoll is how often they are looked at in any case; 0 is 10 s.
	CertPoll time.Duration

	Payloads Payloads // required
	Hooks    Hooks
	Metrics  Metrics // nil counts nothing

	// Ready is what /healthz says, 200 or 503; nil is ready. While the server stops it is
	// not.
	Ready func() bool
	// Linger is how long the server goes on as before once it is to stop, but that it is
	// not ready.
	Linger time.Duration
	// Drain is how long requests and hooks under way may take after that;
	// 0 is 15 s.
	Drain time.Duration
	// Log is nil for silence. Tokens are in no entry.
	Log *zap.Logger
}
