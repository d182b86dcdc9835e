package hostedcluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/sources"
)

// ErrNoImage says that waiting does not find the operator's own image.
var ErrNoImage = errors.New("name the operator's own image with --operator-image")

// findAgain is how long a failed search for the operator's own image waits.
const findAgain = 2 * time.Second

// setUpLater calls SetupWithManager when the operator's own image is known, on every replica, active
// or not. Until then mgr is not ready.
func (r *Reconciler) setUpLater(mgr manager.Manager, resolver *sources.Resolver, o Options) error {
	var known atomic.Bool
	err := mgr.AddReadyzCheck("own-image", func(*http.Request) error {
		if !known.Load() {
			return errors.New("the operator's own image is not known yet")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return mgr.Add(operator.Everywhere(func(ctx context.Context) error {
		for {
			image, err := o.FindImage(ctx)
			if err == nil {
				r.OperatorImage = image // before any worker
				if err := r.SetupWithManager(mgr, resolver); err != nil {
					return err
				}
				known.Store(true)
				return nil
			}
			if errors.Is(err, ErrNoImage) {
				return fmt.Errorf("looking for the operator's own image: %w", err)
			}
			o.Log.Warn("the operator's own image is not known yet; trying again", zap.Error(err))
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(findAgain):
			}
		}
	}))
}
