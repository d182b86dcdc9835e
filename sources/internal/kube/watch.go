package kube

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/mirrorchain/mirrorchain/internal/sleep"
)

const (
	// minWatch is how long the API server is asked to keep a watch, up to twice that.
	// It bounds how long a connection can be dead without anybody noticing.
	minWatch = 5 * time.Minute
	// watchGrace is how much longer we wait for a server that does not do so.
	watchGrace = 30 * time.Second
	// watchAtOnce is the shortest life of a watch that has done its work. Without
	// it a proxy that cuts every watch would have us ask without a pause.
	watchAtOnce = time.Second
)

// Watch signals whenever a watch begins, whenever it sees a change, and when the
// kind goes away. It returns the error that ends a watch, for the caller to wait
// and try again. A watch that the server ends in good order it begins anew, and a
// kind that is absent it looks for every AbsentPoll.
func (s *source) Watch(ctx context.Context, changed func()) error {
	absent := false
	for {
		err := s.watchOnce(ctx, func() {
			absent = false
			changed()
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
		case apierrors.IsNotFound(err):
			if !absent {
				absent = true
				changed()
			}
			if err := sleep.For(ctx, s.absentPoll); err != nil {
				return err
			}
		default:
			return explain("watching", s.kind.resource.GroupResource(), err)
		}
	}
}

// watchOnce follows one watch to its end. It starts from any state the server
// likes: whoever is signalled afterwards lists what is there now, and what changes
// after that the watch sees.
func (s *source) watchOnce(ctx context.Context, changed func()) error {
	seconds := int64(s.watchLimit / time.Second)
	ctx, cancel := context.WithTimeout(ctx, s.watchLimit+watchGrace)
	defer cancel()

	began := time.Now()
	w, err := s.metadata.Watch(ctx, metav1.ListOptions{
		FieldSelector:   s.selector,
		ResourceVersion: "0",
		TimeoutSeconds:  &seconds,
	})
	if err != nil {
		return err
	}
	defer func() {
		w.Stop()
		for range w.ResultChan() { // closed when the goroutine behind it ends
		}
	}()
	changed()
	seen := false
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			return apierrors.FromObject(event.Object)
		}
		seen = true
		changed()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !seen && time.Since(began) < watchAtOnce {
		return errors.New("the server ended the watch at once")
	}
	return nil
}
