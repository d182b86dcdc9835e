package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/crypto/bcrypt"

	"github.com/mirrorchain/mirrorchain/internal/test/process"
	"github.com/mirrorchain/mirrorchain/internal/test/servers"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// Auth is how a registry wants to be authenticated to.
type Auth uint8

// Kinds of authentication.
const (
	Anonymous Auth = iota
	Basic          // htpasswd
	Token          // a token server of its own, at another address
)

// User may pull and push everything.
type User struct {
	Name, Password string // anything that htpasswd takes
}

// Config is one registry. The zero value asks for no authentication.
type Config struct {
	// CA signs the certificates; nil is a new one.
	CA *testregistry.CA
	// Auth is the kind of authentication, with User as the only user.
	Auth Auth
	User User
}

// Registry is a registry process. Its methods are for one goroutine.
type Registry struct {
	cfg     Config
	dir     string // configuration, certificates, content, log
	bin     string
	host    string // "127.0.0.1:PORT", once it is known
	tokens  *tokenServer
	process *process.Process // nil while stopped
}

// startLimit is how long a registry may take to listen on a busy machine.
const startLimit = time.Minute

// Start runs a registry until the test has ended, or skips the test where it is not
// built.
func Start(t testing.TB, cfg Config) *Registry {
	t.Helper()
	bin, err := servers.Find(servers.Distribution)
	if errors.Is(err, servers.ErrNotBuilt) && os.Getenv(servers.EnvDir) == "" {
		t.Skipf("needs a real registry: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if cfg.CA == nil {
		if cfg.CA, err = testregistry.NewCA(); err != nil {
			t.Fatal(err)
		}
	}
	r := &Registry{cfg: cfg, dir: t.TempDir(), bin: filepath.Join(bin, "registry"), host: "127.0.0.1:0"}
	if cfg.Auth == Token {
		if r.tokens, err = startTokenServer(cfg.CA, cfg.User); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.tokens.close)
	}
	if err := r.prepare(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if r.process == nil {
			return
		}
		if t.Failed() {
			r.tell(t)
		}
		if err := r.process.Kill(); err != nil {
			t.Error(err)
		}
	})
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// tell logs what was asked for, but for what was pushed.
func (r *Registry) tell(t testing.TB) {
	for _, req := range r.Requests(t) {
		if req.Agent != Pusher {
			t.Logf("registry %s: %s", r.host, req)
		}
	}
}

// Host returns the registry's host as image references have it, "127.0.0.1:PORT".
func (r *Registry) Host() string { return r.host }

// CA returns the authority of the registry's certificate, and of its token server's.
func (r *Registry) CA() *testregistry.CA { return r.cfg.CA }

// Stop ends the registry as a crash does. Connections to it are refused then.
func (r *Registry) Stop(t testing.TB) {
	t.Helper()
	if err := r.process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.process = nil
}

// SetPassword changes the user's password. The one before is refused from now on;
// tokens that were got with it stay good.
func (r *Registry) SetPassword(t testing.TB, password string) {
	t.Helper()
	r.cfg.User.Password = password
	if r.tokens != nil {
		r.tokens.setPassword(password)
	}
	if err := r.writeUsers(); err != nil {
		t.Fatal(err)
	}
}

func (r *Registry) file(name string) string { return filepath.Join(r.dir, name) }

func (r *Registry) prepare() error {
	// It has the extension for servers, too.
	cert, key, err := r.cfg.CA.ClientCertificate("127.0.0.1")
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{"tls.crt": cert, "tls.key": key} {
		if err := os.WriteFile(r.file(name), data, 0o600); err != nil {
			return err
		}
	}
	return r.writeUsers()
}

func (r *Registry) writeUsers() error {
	if r.cfg.Auth != Basic {
		return nil
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(r.cfg.User.Password), bcrypt.MinCost)
	if err != nil {
		return err
	}
	// Renamed, for it is read while it is written.
	if err := os.WriteFile(r.file("htpasswd.new"), fmt.Appendf(nil, "%s:%s\n", r.cfg.User.Name, hash), 0o600); err != nil {
		return err
	}
	return os.Rename(r.file("htpasswd.new"), r.file("htpasswd"))
}

// configuration returns the registry's configuration in its own terms
// (distribution.github.io/distribution/about/configuration).
func (r *Registry) configuration() (map[string]any, error) {
	cfg := map[string]any{
		"version": "0.1",
		"log":     map[string]any{"level": "info", "accesslog": map[string]any{"disabled": false}},
		"storage": map[string]any{"filesystem": map[string]any{"rootdirectory": r.file("content")}},
		"http": map[string]any{
			"addr": r.host, "secret": "not one",
			"tls": map[string]any{"certificate": r.file("tls.crt"), "key": r.file("tls.key")},
		},
	}
	switch r.cfg.Auth {
	case Basic:
		cfg["auth"] = map[string]any{"htpasswd": map[string]any{"realm": "test", "path": r.file("htpasswd")}}
	case Token:
		keys, err := r.tokens.keySet()
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(r.file("keys.json"), keys, 0o600); err != nil {
			return nil, err
		}
		cfg["auth"] = map[string]any{"token": map[string]any{
			"realm": r.tokens.realm(), "service": service, "issuer": issuer,
			"jwks": r.file("keys.json"), "signingalgorithms": []string{"ES256"},
		}}
	}
	return cfg, nil
}

func (r *Registry) start() error {
	cfg, err := r.configuration()
	if err != nil {
		return err
	}
	data, err := yaml.Marshal(cfg)
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.file("config.yml"), data, 0o600); err != nil {
		return err
	}
	r.process, err = process.Start(process.Config{
		Path: r.bin, Args: []string{"serve", r.file("config.yml")}, Dir: r.dir, Log: r.file("log"),
		Env: []string{"OTEL_TRACES_EXPORTER=none"},
	})
	if err != nil {
		return err
	}
	return r.listening()
}

var listens = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+), tls`)

// listening waits until the registry says where it listens, which is its choice.
func (r *Registry) listening() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		out, err := r.process.Output()
		if err != nil {
			return err
		}
		if m := listens.FindSubmatch(out); m != nil {
			r.host = string(bytes.Clone(m[1]))
			return nil
		}
		select {
		case <-ticker.C:
		case <-r.process.Done():
			return errors.New("the registry has ended; " + r.process.Tail())
		case <-ctx.Done():
			return fmt.Errorf("the registry does not listen: %w; %s", ctx.Err(), r.process.Tail())
		}
	}
}
