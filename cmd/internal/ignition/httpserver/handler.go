package httpserver

import (
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"
)

// handler answers requests.
type handler struct {
	payloads Payloads
	hooks    *hooks
	metrics  Metrics
	log      *zap.Logger
	healthy  func() bool
	ready    func() bool
	stopping atomic.Bool
}

func newHandler(cfg Config) *handler {
	return &handler{payloads: cfg.Payloads, hooks: newHooks(cfg.Hooks, cfg.Log), metrics: cfg.Metrics, log: cfg.Log, healthy: cfg.Healthy, ready: cfg.Ready}
}

var ignitionPath = regexp.MustCompile(`^/ignition[^/ ]*$`)

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/healthz":
		h.probe(w, h.healthy)
	case r.URL.Path == "/readyz":
		h.probe(w, h.ready)
	case ignitionPath.MatchString(r.URL.Path):
		h.ignition(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (h *handler) probe(w http.ResponseWriter, good func() bool) {
	if h.stopping.Load() || good != nil && !good() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
	}
}

func (h *handler) ignition(w http.ResponseWriter, r *http.Request) {
	token, ok := bearer(r)
	if !ok {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	p, ok := h.payloads.Lookup(token)
	if !ok {
		http.Error(w, "Token not found", http.StatusNetworkAuthenticationRequired)
		return
	}
	if !p.Valid {
		h.log.Error("the payload stored for a token secret is not an Ignition config", zap.String("secret", p.Secret))
		http.Error(w, "Invalid ignition payload", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(p.Body)))
	if _, err := w.Write(p.Body); err != nil {
		h.log.Info("a node went away before it had its payload", zap.String("secret", p.Secret), zap.Error(err))
		return
	}
	if h.metrics != nil {
		h.metrics.Get(p.NodePool)
	}
	h.hooks.served(Secret{p.Secret, p.UID})
}

// bearer returns the token of a request.
func bearer(r *http.Request) (string, bool) {
	encoded, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "", false
	}
	token, err := base64.StdEncoding.DecodeString(encoded)
	return string(token), err == nil
}

// debugLog passes the messages of net/http to l, at debug level.
func debugLog(l *zap.Logger) *log.Logger {
	std, err := zap.NewStdLogAt(l, zap.DebugLevel)
	if err != nil { // only for a level that does not exist
		return log.New(io.Discard, "", 0)
	}
	return std
}
