package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/mirrorchain/mirrorchain/chain/verifier"
	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/internal/sleep"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/verify/cluster"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// releases is the repository of OpenShift's releases, whose signatures a lookaside folder
// has below its name.
const releases = "openshift-release-dev/ocp-release"

// SignatureFlags say which signatures releases need.
type SignatureFlags struct {
	// Mode is that of a [verifier.Verifier]; "" is to ask for no signature.
	Mode string
	// Keyrings, Stores and Policies are what package signatures reads.
	Keyrings, Stores, Policies []string
}

// Register adds the flags to s. inCluster says that the operator may read the signatures
// and the image policies of the cluster.
func (f *SignatureFlags) Register(s *pflag.FlagSet, inCluster bool) {
	of := ""
	if inCluster {
		of = ", or cluster: for those of the cluster"
	}
	s.StringVar(&f.Mode, "verify-signatures", "", "require signatures of releases; `MODE` says what follows a refusal: ask the next mirror (next), ask no other, as a node does (node), or only warn (warn)")
	s.StringArrayVar(&f.Keyrings, "keyring", nil, "`PATH` of keys that must sign releases with GPG: a file, a folder, or a ConfigMap; repeatable: all of them must; Red Hat's release keys if not set")
	s.StringArrayVar(&f.Stores, "signatures", nil, "`PLACE` of GPG signatures, which are then required: a folder, a file with ConfigMaps, or an http(s) URL"+of+"; repeatable")
	s.StringArrayVar(&f.Policies, "image-policy", nil, "`FILE` with ClusterImagePolicies, or openshift-4.21, openshift-4.22 for those in that release"+of+"; repeatable")
}

// Read reads what the flags name. It returns nil where no signature is asked for. conn is
// the connection to the cluster, nil where the operator may not read it. An API server
// that is away is waited for; see [Signatures.Start].
func (f *SignatureFlags) Read(conn *rest.Config, log *zap.Logger) (*Signatures, error) {
	if f.Mode == "" {
		for name, given := range map[string][]string{"--image-policy": f.Policies, "--keyring": f.Keyrings, "--signatures": f.Stores} {
			if len(given) > 0 {
				return nil, fmt.Errorf("%s has no effect without --verify-signatures", name)
			}
		}
		return nil, nil
	}
	s := &Signatures{log: log, changed: make(chan struct{})}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	var err error
	if s.cfg.Mode, err = verifier.ParseMode(f.Mode); err != nil {
		return nil, fmt.Errorf("--verify-signatures: %w", err)
	}
	switch {
	case len(f.Stores) == 0 && len(f.Policies) == 0:
		return nil, errors.New("--verify-signatures needs to know which: --signatures with a place of GPG signatures, --image-policy, or both")
	case len(f.Stores) == 0 && len(f.Keyrings) > 0:
		return nil, errors.New("--keyring needs a place with GPG signatures: --signatures")
	}
	var open func() (*cluster.Cluster, error)
	if conn != nil {
		open = func() (*cluster.Cluster, error) { return cluster.New(cluster.Config{REST: conn}) }
	}
	if len(f.Stores) > 0 {
		if s.cfg.Trust, err = signatures.Keyrings(f.Keyrings); err != nil {
			return nil, err
		}
		stores, err := signatures.OpenStores(f.Stores, releases, open)
		if err != nil {
			return nil, err
		}
		for _, w := range stores.Warnings {
			s.log.Warn(w)
		}
		s.cfg.Stores, s.ownKeys = stores.All, len(f.Keyrings) > 0
		if s.handed = f.Stores; !canHandOn(f.Stores) {
			s.handed = nil
			if conn != nil { // it has control planes
				s.log.Info("control planes are not told to ask for GPG signatures: a place of --signatures is no URL, or has a password")
			}
		}
	}
	if len(f.Policies) == 0 {
		s.inForce = &s.cfg
		return s, nil
	}
	if s.flags, err = signatures.ImagePolicies(f.Policies); err != nil {
		return nil, err
	}
	if !s.flags.Cluster {
		return s, s.use(context.Background())
	}
	if open == nil {
		return nil, errors.New("--image-policy cluster: this operator may read its own namespace alone; name a file, or openshift-4.21")
	}
	s.cluster, err = open()
	s.err = provider.ErrNoVerifier
	return s, err
}

// Signatures says which signatures are asked for, and follows the image policies of the
// cluster where they are named. It is safe for concurrent use. A nil *Signatures asks for
// none.
type Signatures struct {
	log     *zap.Logger
	cfg     verifier.Config              // without Policies and Content
	flags   *signatures.ImagePolicyFlags // nil: no image policy
	cluster *cluster.Cluster             // nil: there is nothing to follow

	// What is handed on to control planes beside cfg: see HandOn.
	handed    []string // stores
	ownKeys   bool     // the keyrings are not those that are built in
	namespace string   // which "" means in Verifier: that of a control plane that was handed this

	mu       sync.Mutex
	policies []sigstore.ImagePolicy // in force
	inForce  *verifier.Config       // without Content; nil until the policies have been read
	err      error                  // why inForce is not what the cluster says now
	changed  chan struct{}          // closed, and replaced, when inForce changes
}

// use reads the policies and puts them in force.
func (s *Signatures) use(ctx context.Context) (err error) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.err = err
	}()
	var found []sigstore.ImagePolicy
	if s.cluster != nil {
		if found, err = s.cluster.ImagePolicies(ctx); err != nil {
			return err
		}
	}
	policies, err := s.flags.Policies(found...)
	if err != nil {
		return err
	}
	for _, note := range policies.Notes {
		s.log.Warn(note)
	}
	for _, o := range policies.Overruled() {
		s.log.Info("a scope of an image policy is not in force", zap.String("policy", o.Policy), zap.String("scope", o.Scope), zap.String("overruledBy", o.By))
	}
	next := s.cfg
	next.Policies = policies.Policies
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inForce != nil && s.inForce.Policies.ID() == next.Policies.ID() {
		return nil
	}
	s.inForce, s.policies = &next, policies.All
	close(s.changed)
	s.changed = make(chan struct{})
	s.log.Info("image policies are in force", zap.Strings("scopes", next.Policies.Scopes()))
	return nil
}

// NotInForce says why the image policies of the cluster are not in force as they stand
// now, nil if they are. The last good ones stay in force.
func (s *Signatures) NotInForce() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Waiting says why nothing can be verified yet, nil if it can.
func (s *Signatures) Waiting() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inForce != nil {
		return nil
	}
	return s.err
}

// Verifier returns a function that returns the verifier in force, as the pods of a
// namespace meet it, "" for the cluster. It reads signatures through content. Until there
// is one it returns nil. A nil *Signatures returns nil in place of the function.
func (s *Signatures) Verifier(content provider.ContentProvider) func(namespace string) provider.Verifier {
	if s == nil {
		return nil
	}
	type made struct {
		of *verifier.Config
		v  *verifier.Verifier
	}
	var last atomic.Pointer[made]
	return func(namespace string) provider.Verifier {
		s.mu.Lock()
		of := s.inForce
		s.mu.Unlock()
		if of == nil {
			return nil
		}
		m := last.Load()
		if m == nil || m.of != of {
			cfg := *of
			cfg.Content = content
			v, err := verifier.New(cfg)
			if err != nil { // the flags were checked
				s.log.Error("making the verifier of signatures", zap.Error(err))
				return nil
			}
			m = &made{of, v}
			last.Store(m)
		}
		if namespace = cmp.Or(namespace, s.namespace); namespace == "" {
			return m.v
		}
		return m.v.In(namespace)
	}
}

// OfCluster returns [Signatures.Verifier] for the cluster, where base reads signatures. A nil
// *Signatures returns nil. It is an error if base cannot read any.
func (s *Signatures) OfCluster(base any) (func() provider.Verifier, error) {
	if s == nil {
		return nil, nil
	}
	content, ok := base.(provider.ContentProvider)
	if !ok {
		return nil, fmt.Errorf("%T reads no signatures", base)
	}
	of := s.Verifier(content)
	return func() provider.Verifier { return of("") }, nil
}

// Waits after a watch or a list that failed.
const (
	firstFollow = time.Second
	lastFollow  = 30 * time.Second
)

// Add adds s to mgr: it follows the policies, active or not, and is a check of readiness.
func (s *Signatures) Add(mgr manager.Manager) error {
	if s == nil || s.cluster == nil {
		return nil
	}
	return errors.Join(
		mgr.AddReadyzCheck("image-policies", func(*http.Request) error { return s.NotInForce() }),
		mgr.Add(Everywhere(s.Start)),
	)
}

// Start follows the image policies of the cluster until ctx ends. What fails is tried
// again; the last good policies stay in force meanwhile.
func (s *Signatures) Start(ctx context.Context) error {
	reread := make(chan struct{}, 1)
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		retry(ctx, func() error {
			err := s.cluster.WatchImagePolicies(ctx, func() {
				select {
				case reread <- struct{}{}:
				default:
				}
			})
			s.failed(ctx, err)
			return err
		})
	})
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-reread:
			retry(ctx, func() error {
				err := s.use(ctx)
				s.failed(ctx, err)
				return err
			})
		}
	}
}

// failed keeps and tells why the policies are not followed.
func (s *Signatures) failed(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	s.err = err
	s.mu.Unlock()
	s.log.Warn("the image policies of the cluster cannot be followed; the last good ones stay in force", zap.Error(err))
}

// retry calls do until it succeeds or ctx ends, with waits that grow while it fails soon.
func retry(ctx context.Context, do func() error) {
	for wait := firstFollow; ; wait = min(2*wait, lastFollow) {
		began := time.Now()
		if do() == nil {
			return
		}
		if time.Since(began) > lastFollow {
			wait = firstFollow
		}
		if sleep.For(ctx, wait) != nil {
			return
		}
	}
}

// OnSignatures returns a source that has every object of list's kind reconciled when the
// image policies in force change. It is nil where there is nothing to follow.
func OnSignatures(mgr manager.Manager, s *Signatures, list client.ObjectList, only ...predicate.Predicate) (source.Source, error) {
	if s == nil || s.cluster == nil {
		return nil, nil
	}
	return OnChanges(mgr, list, func(ctx context.Context, each func()) {
		for {
			s.mu.Lock()
			changed := s.changed
			s.mu.Unlock()
			each()
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	}, only...)
}
