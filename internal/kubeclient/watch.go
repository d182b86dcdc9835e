package kubeclient

import (
	"context"
	"errors"
	"sync"
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
// kind that is absent it looks for every AbsentPoll. A kind that comes and goes in between
// goes away only for who has listed it; that is signalled too.
func (c *Client) Watch(ctx context.Context, changed func()) error {
	absent, found := false, int64(0)
	for {
		err := c.watchOnce(ctx, func() {
			absent = false
			changed()
		})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
		case apierrors.IsNotFound(err):
			if n := c.found.Load(); !absent || n != found {
				absent, found = true, n
				changed()
			}
			if err := sleep.For(ctx, c.absentPoll); err != nil {
				return err
			}
		default:
			return c.explain("watching", err)
		}
	}
}

// watchOnce follows one watch to its end. It starts from any state the server
// likes: whoever is signalled afterwards lists what is there now, and what changes
// after that the watch sees.
func (c *Client) watchOnce(ctx context.Context, changed func()) error {
	seconds := int64(c.watchLimit / time.Second)
	ctx, cancel := context.WithTimeout(ctx, c.watchLimit+watchGrace)
	defer cancel()

	began := time.Now()
	options := c.options
	options.ResourceVersion, options.TimeoutSeconds = "0", &seconds
	w, err := c.startWatch(ctx, options)
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

// startWatch starts a watch of the first version that is found.
func (c *Client) startWatch(ctx context.Context, options metav1.ListOptions) (w watch.Interface, err error) {
	for _, v := range c.versions {
		if w, err = v.metadata.Watch(ctx, options); !apierrors.IsNotFound(err) {
			break
		}
	}
	return w, err
}

// WatchAll runs several watches until ctx ends or one of them fails, which it returns.
// changed is called by one at a time.
func WatchAll(ctx context.Context, changed func(), watches ...func(ctx context.Context, changed func()) error) error {
	all, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var one sync.Mutex
	var wg sync.WaitGroup
	for _, watch := range watches {
		wg.Go(func() {
			cancel(watch(all, func() {
				one.Lock()
				defer one.Unlock()
				changed()
			}))
		})
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	return context.Cause(all)
}
