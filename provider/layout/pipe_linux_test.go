package layout_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testlayout"
)

// A named pipe in place of content would keep whoever opens it waiting.
func TestNamedPipe(t *testing.T) {
	img := component("etcd")
	dir := t.TempDir()
	must(t, testlayout.OCI(dir, testlayout.Named{Image: img}))
	name := blobFiles(t, dir)[img.Top().Digest]
	must(t, os.Remove(name))
	must(t, syscall.Mkfifo(name, 0o600))
	_, err := open(t, dir).Complete().Head(t.Context(), provider.Request{Image: byDigest(img.Digest)})
	wantClass(t, err, provider.ClassMalformed, "not a regular file")
}
