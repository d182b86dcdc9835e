package kubeclient

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// Resource is the kind of objects that a [Client] reads, and which of them.
type Resource struct {
	Group    string   // of the API, "" for the core
	Versions []string // the first one that the cluster has counts
	Resource string   // plural, in lower case
	// Namespace is where the objects are; empty means all namespaces, or a kind without.
	Namespace string
	// Only is the name of the one object that counts; empty means all. It is asked for by
	// a field selector, so that a role may be limited to that name.
	Only string
	// Labels is a selector; empty means all.
	Labels string
}

// GroupResource names the kind without a version.
func (r Resource) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: r.Group, Resource: r.Resource}
}

// Client reads the objects of one kind. It keeps no objects between calls.
type Client struct {
	resource   Resource
	versions   []version // of Resource, in their order
	options    metav1.ListOptions
	absentPoll time.Duration
	watchLimit time.Duration
	// found counts the lists that found the kind. A list may find it while every watch
	// before and after finds it absent: who listed must be told then, too.
	found atomic.Int64
}

// version is a version of the kind.
type version struct {
	schema.GroupVersion
	objects  *rest.RESTClient
	metadata metadata.ResourceInterface
}

// New returns a client of the kind. types add what List decodes into; a caller that takes
// bytes needs none. It fails for a kubeconfig that cannot be used, and never because the
// cluster does not answer.
func New(cfg Config, r Resource, types ...func(*runtime.Scheme) error) (*Client, error) {
	conn, err := Connect(cfg)
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(conn)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	c := &Client{
		resource:   r,
		options:    metav1.ListOptions{LabelSelector: r.Labels},
		absentPoll: cfg.AbsentPoll,
		// Chosen once: it is part of the address, and so of errors, which are logged when
		// they change.
		watchLimit: minWatch + rand.N(minWatch),
	}
	if c.absentPoll <= 0 {
		c.absentPoll = defaultAbsentPoll
	}
	if r.Only != "" {
		c.options.FieldSelector = fields.OneTermEqualSelector("metadata.name", r.Only).String()
	}
	ofMetadata, err := metadata.NewForConfigAndClient(conn, client)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	codecs, err := decoders(types)
	if err != nil {
		return nil, err
	}
	conn.APIPath = "/apis"
	if r.Group == "" {
		conn.APIPath = "/api"
	}
	conn.ContentConfig.ContentType, conn.ContentConfig.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	conn.NegotiatedSerializer = codecs.WithoutConversion()
	for _, name := range r.Versions {
		v := version{GroupVersion: schema.GroupVersion{Group: r.Group, Version: name}}
		conn.GroupVersion = &v.GroupVersion
		if v.objects, err = rest.RESTClientForConfigAndClient(conn, client); err != nil {
			return nil, fmt.Errorf("connecting to the cluster: %w", err)
		}
		v.metadata = ofMetadata.Resource(v.WithResource(r.Resource))
		if r.Namespace != "" {
			v.metadata = ofMetadata.Resource(v.WithResource(r.Resource)).Namespace(r.Namespace)
		}
		c.versions = append(c.versions, v)
	}
	return c, nil
}

// decoders know what the caller reads and the API server's own answers.
func decoders(types []func(*runtime.Scheme) error) (serializer.CodecFactory, error) {
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	var errs []error
	for _, add := range types {
		errs = append(errs, add(scheme))
	}
	return serializer.NewCodecFactory(scheme), errors.Join(errs...)
}

// List lists the objects and passes the answer to read. present is false where the cluster
// does not have the kind; read is not called then. An error of the cluster has a class,
// see [provider.Error]; it includes that the cluster forbids to read.
func (c *Client) List(ctx context.Context, read func(rest.Result) error) (present bool, err error) {
	for _, v := range c.versions {
		result := v.objects.Get().Namespace(c.resource.Namespace).Resource(c.resource.Resource).
			SpecificallyVersionedParams(&c.options, metav1.ParameterCodec, metav1.SchemeGroupVersion).
			Do(ctx)
		err := result.Error()
		present = err == nil
		switch {
		case present:
			err = read(result)
		case apierrors.IsNotFound(err):
			err = c.confirmAbsent(ctx, v)
		}
		if err != nil {
			return false, c.explain("listing", err)
		}
		if present {
			c.found.Add(1)
			return true, nil
		}
	}
	return false, nil
}
