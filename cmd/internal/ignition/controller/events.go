package controller

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/httpserver"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// events reports to the cluster what was served. Its methods are [httpserver.Hooks], which
// only requests with a valid token cause.
type events struct {
	client    client.Client
	namespace string
	correlate *record.EventCorrelator // counts repetitions, and holds floods back
	log       *zap.Logger
}

func newEvents(c client.Client, namespace string, log *zap.Logger) *events {
	return &events{client: c, namespace: namespace, correlate: record.NewEventCorrelator(clock.RealClock{}), log: log}
}

// secret reads the metadata of a token Secret. It returns nil if that is gone, even if
// another one has its name now.
func (e *events) secret(ctx context.Context, of httpserver.Secret) (*metav1.PartialObjectMetadata, error) {
	m := new(metav1.PartialObjectMetadata)
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := e.client.Get(ctx, types.NamespacedName{Namespace: e.namespace, Name: of.Name}, m)
	if err != nil || of.UID != "" && of.UID != string(m.UID) {
		return nil, client.IgnoreNotFound(err)
	}
	return m, nil
}

// served writes the event for a payload that was served. One that cannot be written is
// lost: events only help people.
func (e *events) served(ctx context.Context, secret httpserver.Secret) {
	if err := e.event(ctx, secret); err != nil && ctx.Err() == nil {
		e.log.Warn("an event is lost", zap.String("secret", secret.Name), zap.Error(err))
	}
}

// event writes the event, or counts a repetition.
func (e *events) event(ctx context.Context, secret httpserver.Secret) error {
	s, err := e.secret(ctx, secret)
	if s == nil || err != nil {
		return err
	}
	now := metav1.Now()
	r, err := e.correlate.EventCorrelate(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s.%x", s.Name, time.Now().UnixNano()), Namespace: e.namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Secret", Namespace: e.namespace, Name: s.Name, UID: s.UID,
		},
		Type: corev1.EventTypeNormal, Reason: "GetPayload", Message: "a node fetched its payload", Count: 1,
		FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: Name}, ReportingController: Name,
	})
	if err != nil || r.Skip {
		return err
	}
	event := r.Event
	if event.Count > 1 {
		err = e.client.Patch(ctx, event, client.RawPatch(types.StrategicMergePatchType, r.Patch))
	}
	if event.Count == 1 || apierrors.IsNotFound(err) { // it has expired
		event.ResourceVersion = ""
		err = e.client.Create(ctx, event)
	}
	if err == nil {
		e.correlate.UpdateState(event)
	}
	return err
}

// reached annotates a token Secret whose payload a node has fetched.
func (e *events) reached(ctx context.Context, secret httpserver.Secret) error {
	s, err := e.secret(ctx, secret)
	if s == nil || err != nil {
		return err
	}
	if s.Annotations[tokens.AnnotationReached] == "True" {
		return nil
	}
	base := s.DeepCopy()
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[tokens.AnnotationReached] = "True"
	// Without a lock: nobody writes another value.
	return client.IgnoreNotFound(e.client.Patch(ctx, s, client.MergeFrom(base)))
}
