package registry

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// What the registry and its token server have to agree on.
const (
	service = "test-registry"
	issuer  = "test-token-server"
	keyID   = "the-key"
)

// tokenServer issues tokens for a registry (distribution's specification of token
// authentication), to whoever has the password.
type tokenServer struct {
	key *ecdsa.PrivateKey
	srv *httptest.Server

	mu     sync.Mutex
	user   User
	issued int
}

func startTokenServer(ca *testregistry.CA, user User) (*tokenServer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certPEM, keyPEM, err := ca.ClientCertificate("127.0.0.1")
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	s := &tokenServer{key: key, user: user}
	s.srv = httptest.NewUnstartedServer(s)
	s.srv.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.srv.StartTLS()
	return s, nil
}

func (s *tokenServer) close() { s.srv.Close() }

func (s *tokenServer) realm() string { return s.srv.URL + "/token" }

func (s *tokenServer) setPassword(p string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.user.Password = p
}

// ServeHTTP answers GET /token?service=S&scope=repository:NAME:ACTIONS.
func (s *tokenServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, password, _ := r.BasicAuth()
	s.mu.Lock()
	known := User{name, password} == s.user
	if known {
		s.issued++
	}
	s.mu.Unlock()
	if !known || r.FormValue("service") != service {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	token, err := s.token(name, r.Form["scope"])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": lifetime / time.Second})
}

const lifetime = 5 * time.Minute

// token signs one for all that is asked for (RFC 7519, ES256).
func (s *tokenServer) token(subject string, scopes []string) (string, error) {
	type access struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	granted := []access{}
	for _, scope := range scopes {
		kind, rest, _ := strings.Cut(scope, ":")
		if i := strings.LastIndexByte(rest, ':'); i >= 0 {
			granted = append(granted, access{kind, rest[:i], strings.Split(rest[i+1:], ",")})
		}
	}
	now := time.Now()
	text, err := segments(
		map[string]any{"typ": "JWT", "alg": "ES256", "kid": keyID},
		map[string]any{
			"iss": issuer, "sub": subject, "aud": []string{service}, "access": granted,
			"nbf": now.Unix(), "iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "jti": rand.Text(),
		},
	)
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(text))
	r, sig, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", err
	}
	var both [64]byte // RFC 7518, section 3.4
	r.FillBytes(both[:32])
	sig.FillBytes(both[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(both[:]), nil
}

func segments(parts ...any) (string, error) {
	var out []string
	for _, p := range parts {
		data, err := json.Marshal(p)
		if err != nil {
			return "", err
		}
		out = append(out, base64.RawURLEncoding.EncodeToString(data))
	}
	return strings.Join(out, "."), nil
}

// keySet returns the keys that the registry verifies tokens with (RFC 7517).
func (s *tokenServer) keySet() ([]byte, error) {
	point, err := s.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	half := (len(point) - 1) / 2
	return json.Marshal(map[string]any{"keys": []any{map[string]any{
		"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": keyID,
		"x": base64.RawURLEncoding.EncodeToString(point[1 : 1+half]),
		"y": base64.RawURLEncoding.EncodeToString(point[1+half:]),
	}}})
}
