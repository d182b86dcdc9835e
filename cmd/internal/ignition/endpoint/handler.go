package endpoint

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"regexp"
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
	ready    func() bool
	stopping atomic.Bool
}

func newHandler(cfg Config) *handler {
	return &handler{payloads: cfg.Payloads, hooks: newHooks(cfg.Hooks, cfg.Log), metrics: cfg.Metrics, log: cfg.Log, ready: cfg.Ready}
}

var ignitionPath = regexp.MustCompile(`^/ignition[^/ ]*$`)

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/healthz":
		if h.stopping.Load() || h.ready != nil && !h.ready() {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}
	case ignitionPath.MatchString(r.URL.Path):
		h.ignition(w, r)
	default:
		http.NotFound(w, r)
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
	if !isIgnition(p.Body) {
		h.log.Error("what is stored for a token secret is no Ignition config", zap.String("secret", p.Secret))
		http.Error(w, "Invalid ignition payload", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if _, err := w.Write(p.Body); err != nil {
		h.log.Info("a node went away before it had its payload", zap.String("secret", p.Secret), zap.Error(err))
		return
	}
	if h.metrics != nil {
		h.metrics.Get(p.NodePool)
	}
	h.hooks.served(Secret{p.Secret, p.UID})
}

// bearer is the token of a request.
func bearer(r *http.Request) (string, bool) {
	encoded, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return "", false
	}
	token, err := base64.StdEncoding.DecodeString(encoded)
	return string(token), err == nil
}

// isIgnition reports whether b is a JSON object with a version of Ignition's.
func isIgnition(b []byte) bool {
	var config struct {
		Ignition struct {
			Version string `json:"version"`
		} `json:"ignition"`
	}
	return json.Unmarshal(b, &config) == nil && config.Ignition.Version != ""
}

// debugLog passes what net/http has to say to l, as details.
func debugLog(l *zap.Logger) *log.Logger {
	std, err := zap.NewStdLogAt(l, zap.DebugLevel)
	if err != nil { // only for a level that does not exist
		return log.New(io.Discard, "", 0)
	}
	return std
}
