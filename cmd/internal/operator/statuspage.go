package operator

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authenticationv1client "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1client "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/mirrorchain/mirrorchain/cmd/internal/pki"
	"github.com/mirrorchain/mirrorchain/cmd/internal/statuspage"
)

// StatusPageFlags say where an operator serves its status page.
type StatusPageFlags struct{ addr, certDir string }

// Register adds the flags to s.
func (f *StatusPageFlags) Register(s *pflag.FlagSet) {
	s.StringVar(&f.addr, "status-bind-address", "0", "serve the status page on `HOST:PORT`; 0 turns it off. A loopback address is for kubectl port-forward. Any other address needs --status-cert-dir, and clients need a token that may get /status")
	s.StringVar(&f.certDir, "status-cert-dir", "", "`DIR` with tls.crt and tls.key for TLS on the status page; their changes are followed")
}

// StatusPage is where an operator serves its status page; the zero value is nowhere.
type StatusPage struct {
	addr, certDir string
	loopback      bool
}

// Read returns what the flags say.
func (f *StatusPageFlags) Read() (StatusPage, error) {
	p := StatusPage{addr: f.addr, certDir: f.certDir}
	if p.addr == "0" || p.addr == "" {
		if p.certDir != "" {
			return p, errors.New("--status-cert-dir has no effect without --status-bind-address")
		}
		return StatusPage{}, nil
	}
	var err error
	if p.loopback, err = statuspage.CheckAddress(p.addr); err != nil {
		return p, fmt.Errorf("--status-bind-address: %w", err)
	}
	if !p.loopback && p.certDir == "" {
		return p, fmt.Errorf("--status-bind-address: %s can be reached by others, whose tokens must not be sent in clear text; name a certificate with --status-cert-dir, or serve on 127.0.0.1", p.addr)
	}
	return p, nil
}

// Add makes mgr serve a page with cfg, on every replica. On a loopback address everybody who can
// connect may see it; elsewhere the API server is asked, as cfg's connection rest is, who has
// the token of a request and whether they may get [statuspage.Path].
func (p StatusPage) Add(mgr manager.Manager, rest *rest.Config, cfg statuspage.Config) error {
	if p.addr == "" {
		return nil
	}
	cfg.AnyHost = !p.loopback
	cfg.Audience = "It is seen by those who may open a port of the pod (kubectl port-forward)."
	if !p.loopback {
		cfg.Audience = "It is seen by those whom the cluster lets get " + statuspage.Path + "."
	}
	page, err := statuspage.Handler(cfg)
	if err != nil {
		return err
	}
	if !p.loopback {
		if page, err = authorized(rest, page); err != nil {
			return fmt.Errorf("the status page: %w", err)
		}
	}
	return mgr.Add(Everywhere(func(ctx context.Context) error { return p.serve(ctx, page) }))
}

func (p StatusPage) serve(ctx context.Context, page http.Handler) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.addr)
	if err != nil {
		return fmt.Errorf("--status-bind-address: %w", err)
	}
	if p.certDir == "" {
		return statuspage.Serve(ctx, l, page)
	}
	certs, err := certwatcher.New(filepath.Join(p.certDir, "tls.crt"), filepath.Join(p.certDir, "tls.key"))
	if err != nil {
		return errors.Join(fmt.Errorf("--status-cert-dir: %w", err), l.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan error, 1)
	go func() { watched <- certs.Start(ctx) }()
	config := pki.ServerConfig(certs.GetCertificate)
	config.NextProtos = []string{"http/1.1"}
	err = statuspage.Serve(ctx, tls.NewListener(l, config), page)
	cancel()
	return cmp.Or(err, <-watched)
}

// Limits of what strangers can have the API server asked.
const (
	maxReviews    = 4 // at once
	reviewTimeout = 10 * time.Second
)

// authorized returns next behind the API server's word: it passes on requests with a bearer
// token of somebody who may do with the path, as a non-resource URL, what the method says. The
// token goes nowhere else, and is not passed on.
func authorized(cfg *rest.Config, next http.Handler) (http.Handler, error) {
	cfg = rest.AddUserAgent(cfg, "status-page")
	cfg.Timeout = reviewTimeout
	tokens, err := authenticationv1client.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	access, err := authorizationv1client.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	turns := make(chan struct{}, maxReviews)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		default:
			http.Error(w, "too many requests at once", http.StatusServiceUnavailable)
			return
		}
		status, why := review(r, tokens, access, token)
		if status != http.StatusOK {
			http.Error(w, why, status)
			return
		}
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	}), nil
}

// review returns 200 for those who may do what r asks for, and else a status and a reason that
// tells a stranger nothing about the cluster.
func review(r *http.Request, tokens authenticationv1client.TokenReviewsGetter, access authorizationv1client.SubjectAccessReviewsGetter, token string) (status int, why string) {
	const away = "the API server could not be asked"
	who, err := tokens.TokenReviews().Create(r.Context(), &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return http.StatusServiceUnavailable, away
	case !who.Status.Authenticated:
		return http.StatusUnauthorized, "the token is not valid"
	}
	user := who.Status.User
	extra := make(map[string]authorizationv1.ExtraValue, len(user.Extra))
	for k, v := range user.Extra {
		extra[k] = authorizationv1.ExtraValue(v)
	}
	may, err := access.SubjectAccessReviews().Create(r.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
			NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: r.URL.Path, Verb: strings.ToLower(r.Method)},
		},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return http.StatusServiceUnavailable, away
	case !may.Status.Allowed:
		return http.StatusForbidden, "you may not get " + statuspage.Path + "; a ClusterRole with this non-resource URL allows it"
	}
	return http.StatusOK, ""
}
