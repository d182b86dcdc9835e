package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	configv1 "github.com/openshift/api/config/v1"
	operatorv1alpha1 "github.com/openshift/api/operator/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources"
)

// Factory makes the plugin for kind on the cluster that cfg names. Opening it
// fails for a kubeconfig that cannot be used, and never because the cluster does
// not answer.
func Factory(kind Kind, cfg Config) sources.Factory {
	return sources.Factory{
		Scheme: kind.scheme,
		Help:   kind.help,
		Open: func(_ context.Context, arg string) (policy.OverrideSource, error) {
			if arg != "" {
				return nil, &sources.SpecError{Spec: kind.scheme + ":" + arg, Err: errors.New("it takes no argument; it reads the whole cluster")}
			}
			return open(kind, cfg)
		},
	}
}

// source reads the objects of one kind. It keeps nothing between calls.
type source struct {
	kind       Kind
	selector   string // of fields
	objects    *rest.RESTClient
	metadata   metadata.ResourceInterface
	absentPoll time.Duration
	watchLimit time.Duration
}

func open(kind Kind, cfg Config) (*source, error) {
	conn, err := cfg.connection()
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(conn)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	s := &source{
		kind:       kind,
		absentPoll: cfg.AbsentPoll,
		// Chosen once: it is part of the address, and so of errors, which are logged when
		// they change.
		watchLimit: minWatch + rand.N(minWatch),
	}
	if s.absentPoll <= 0 {
		s.absentPoll = defaultAbsentPoll
	}
	if kind.only != "" {
		// A name as field selector, so that a role may be limited to that name.
		s.selector = fields.OneTermEqualSelector("metadata.name", kind.only).String()
	}

	ofMetadata, err := metadata.NewForConfigAndClient(conn, client)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	s.metadata = ofMetadata.Resource(kind.resource)

	codecs, err := decoders()
	if err != nil {
		return nil, err
	}
	group := kind.resource.GroupVersion()
	conn.APIPath, conn.GroupVersion = "/apis", &group
	conn.ContentConfig.ContentType, conn.ContentConfig.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	conn.NegotiatedSerializer = codecs.WithoutConversion()
	if s.objects, err = rest.RESTClientForConfigAndClient(conn, client); err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return s, nil
}

// decoders know the kinds that we read and the API server's own answers.
func decoders() (serializer.CodecFactory, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	err := errors.Join(configv1.Install(scheme), operatorv1alpha1.Install(scheme))
	return serializer.NewCodecFactory(scheme), err
}

// Name is the scheme: there is one cluster.
func (s *source) Name() string { return s.kind.scheme }

// Load lists the objects. An error that is no [*policy.InvalidPolicyError] says
// that the cluster is away, which includes that it forbids us to read.
func (s *source) Load(ctx context.Context) (policy.Policy, error) {
	list := s.kind.list()
	err := s.objects.Get().Resource(s.kind.resource.Resource).
		SpecificallyVersionedParams(&metav1.ListOptions{FieldSelector: s.selector}, metav1.ParameterCodec, metav1.SchemeGroupVersion).
		Do(ctx).Into(list)
	if apierrors.IsNotFound(err) {
		if err = s.confirmAbsent(ctx); err == nil {
			return s.nothing(), nil
		}
	}
	if err != nil {
		return policy.Policy{}, explain("listing", s.kind.resource.GroupResource(), err)
	}
	return s.kind.convert(list)
}
