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

// teller tells the cluster what was served: these are [httpserver.Hooks]. Only who had a
// token causes anything.
type teller struct {
	client    client.Client
	namespace string
	events    *record.EventCorrelator // counts what repeats, and holds back floods
	log       *zap.Logger
}

func newTeller(c client.Client, namespace string, log *zap.Logger) *teller {
	return &teller{client: c, namespace: namespace, events: record.NewEventCorrelator(clock.RealClock{}), log: log}
}

// secret reads the metadata of a token Secret. It is nil if that is gone, whatever has
// its name now.
func (t *teller) secret(ctx context.Context, of httpserver.Secret) (*metav1.PartialObjectMetadata, error) {
	m := new(metav1.PartialObjectMetadata)
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	err := t.client.Get(ctx, types.NamespacedName{Namespace: t.namespace, Name: of.Name}, m)
	if err != nil || of.UID != "" && of.UID != string(m.UID) {
		return nil, client.IgnoreNotFound(err)
	}
	return m, nil
}

// served writes the event of a payload that was served. Events are a help to people;
// one that cannot be written is lost.
func (t *teller) served(ctx context.Context, secret httpserver.Secret) {
	if err := t.event(ctx, secret); err != nil && ctx.Err() == nil {
		t.log.Warn("an event is lost", zap.String("secret", secret.Name), zap.Error(err))
	}
}

func (t *teller) event(ctx context.Context, secret httpserver.Secret) error {
	s, err := t.secret(ctx, secret)
	if s == nil || err != nil {
		return err
	}
	now := metav1.Now()
	r, err := t.events.EventCorrelate(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s.%x", s.Name, time.Now().UnixNano()), Namespace: t.namespace},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Secret", Namespace: t.namespace, Name: s.Name, UID: s.UID,
		},
		Type: corev1.EventTypeNormal, Reason: "GetPayload", Message: "a node fetched its payload", Count: 1,
		FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: Name}, ReportingController: Name,
	})
	if err != nil || r.Skip {
		return err
	}
	e := r.Event
	if e.Count > 1 {
		err = t.client.Patch(ctx, e, client.RawPatch(types.StrategicMergePatchType, r.Patch))
	}
	if e.Count == 1 || apierrors.IsNotFound(err) { // it has expired
		e.ResourceVersion = ""
		err = t.client.Create(ctx, e)
	}
	if err == nil {
		t.events.UpdateState(e)
	}
	return err
}

// reached annotates a token Secret whose payload a node has fetched.
func (t *teller) reached(ctx context.Context, secret httpserver.Secret) error {
	s, err := t.secret(ctx, secret)
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
	return client.IgnoreNotFound(t.client.Patch(ctx, s, client.MergeFrom(base)))
}
