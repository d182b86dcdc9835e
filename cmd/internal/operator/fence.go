package operator

import (
	"context"
	"errors"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrLeaseLost says that another replica may be the active one: this one was frozen, or
// could not renew its lease, and what it knows may be old. The process ends.
var ErrLeaseLost = errors.New("the lease was not renewed in time, so that another replica may be active: this one ends, and writes nothing any more")

// fence lets writes through while held says so. After the first that it does not let
// through, lost is closed. It is safe for concurrent use.
type fence struct {
	holding func() bool
	once    sync.Once
	lost    chan struct{}
}

func newFence(holding func() bool) *fence { return &fence{holding: holding, lost: make(chan struct{})} }

// check returns [ErrLeaseLost] where nothing may be written. It is called before each
// write.
func (f *fence) check() error {
	if f.holding() {
		return nil
	}
	f.once.Do(func() { close(f.lost) })
	return ErrLeaseLost
}

// Start returns [ErrLeaseLost] when a write was held back.
func (f *fence) Start(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-f.lost:
		return ErrLeaseLost
	}
}

// fencedClient is a client whose writes pass the fence.
type fencedClient struct {
	client.Client
	fence *fence
}

func (c fencedClient) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.Client.Create(ctx, obj, opts...)
}

func (c fencedClient) Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.Client.Delete(ctx, obj, opts...)
}

func (c fencedClient) Update(ctx context.Context, obj client.Object, opts ...client.UpdateOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.Client.Update(ctx, obj, opts...)
}

func (c fencedClient) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.Client.Patch(ctx, obj, patch, opts...)
}

func (c fencedClient) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.Client.Apply(ctx, obj, opts...)
}

func (c fencedClient) DeleteAllOf(ctx context.Context, obj client.Object, opts ...client.DeleteAllOfOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.Client.DeleteAllOf(ctx, obj, opts...)
}

func (c fencedClient) Status() client.SubResourceWriter { return c.SubResource("status") }

func (c fencedClient) SubResource(name string) client.SubResourceClient {
	return fencedSubResource{c.Client.SubResource(name), c.fence}
}

type fencedSubResource struct {
	client.SubResourceClient
	fence *fence
}

func (c fencedSubResource) Create(ctx context.Context, obj, sub client.Object, opts ...client.SubResourceCreateOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.SubResourceClient.Create(ctx, obj, sub, opts...)
}

func (c fencedSubResource) Update(ctx context.Context, obj client.Object, opts ...client.SubResourceUpdateOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.SubResourceClient.Update(ctx, obj, opts...)
}

func (c fencedSubResource) Patch(ctx context.Context, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.SubResourceClient.Patch(ctx, obj, patch, opts...)
}

func (c fencedSubResource) Apply(ctx context.Context, obj runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
	if err := c.fence.check(); err != nil {
		return err
	}
	return c.SubResourceClient.Apply(ctx, obj, opts...)
}
