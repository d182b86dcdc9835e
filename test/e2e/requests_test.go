package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/cluster"
	"github.com/mirrorchain/mirrorchain/internal/test/machineconfig"
	"github.com/mirrorchain/mirrorchain/internal/test/registry"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// What the programs call themselves to registries.
const (
	agentHO       = "hypershift-operator"
	agentCPO      = "control-plane-operator"
	agentIgnition = "ignition-server"
)

// pulled waits until the log of a mirror says that agent got an image from it: the
// manifest, and the layer that has what is wanted, to the last byte.
func (w *world) pulled(t *testing.T, mirror int, agent, repository string, img testpayload.Image) {
	t.Helper()
	top := img.Top()
	cluster.Await(t, fmt.Sprintf("%s to pull %s@%s from mirror %d", agent, repository, img.Digest, mirror), func(context.Context) error {
		var manifest, layer bool
		var seen []string
		for _, r := range w.mirrors[mirror].Requests(t) {
			if !strings.HasPrefix(r.Agent, agent) {
				continue
			}
			manifest = manifest || r.Pulled() && r.Path == "/v2/"+repository+"/manifests/"+img.Digest
			layer = layer || r.Pulled() && r.Path == "/v2/"+repository+"/blobs/"+top.Digest && r.Bytes == top.Size
			seen = append(seen, r.String())
		}
		if !manifest || !layer {
			return fmt.Errorf("manifest %t, layer %t; it asked for %q", manifest, layer, seen)
		}
		return nil
	})
}

// pulledPayload waits, as pulled does, for all that a payload of the release is made of.
func (w *world) pulledPayload(t *testing.T, mirror int, release machineconfig.Images) {
	t.Helper()
	w.pulled(t, mirror, agentIgnition, machineconfig.MirroredRelease, release.Release)
	for _, name := range []string{"machine-config-operator", "cluster-config-api"} {
		w.pulled(t, mirror, agentIgnition, machineconfig.MirroredComponents, release.Components[name])
	}
}

// sourceUntouched fails the test if anybody has connected to the source, for anything.
func (w *world) sourceUntouched(t *testing.T) {
	t.Helper()
	if n := w.source.connections.Load(); n != 0 {
		t.Errorf("%d connections to the source, want none", n)
	}
}

// baseUntouched fails the test if a layer was pulled that nobody needs: those of
// releases below their release layer.
func (w *world) baseUntouched(t *testing.T) {
	t.Helper()
	for i, m := range w.mirrors {
		for _, r := range m.Requests(t) {
			for _, release := range w.releases {
				for _, l := range release.Release.Layers() {
					if l.Digest != release.Release.Top().Digest && r.Agent != registry.Pusher && strings.HasSuffix(r.Path, l.Digest) {
						t.Errorf("mirror %d: %s is of a base layer", i, r)
					}
				}
			}
		}
	}
}
