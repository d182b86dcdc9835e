package releaseinfo

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// shown returns what a terminal of 100 columns shows of a release.
func shown(rel *provider.Release, show Show) string {
	var out bytes.Buffer
	Table(&out, table.Look{Terminal: true, Width: 100}, show, rel.Image().String(), rel.Image(), rel)
	return out.String()
}

func TestReleaseTable(t *testing.T) {
	const want = `quay.io/ocp/release  sha256:e3b0c44298fc…
#  ENDPOINT                RESULT          TIME  WHY
1  first.corp/ocp/release  ✗ server error  12 ms  service unavailable (HTTP 503)
2  mirror.corp/ocp/release ✓ found         1.5 s

Version       4.17.3
Platform      linux/arm64
Instance      sha256:e3b0c44298fc…
Created       2024-10-28T09:15:42Z
Updates from  4.16.1, 4.17.2
Errata        https://example.com/errata
kubernetes    1.30.5
machine-os    417.94

2 images
  NAME  PULL SPEC
  cli   over.corp/art@SHA
  etcd  quay.io/ocp/art@SHA
`
	got := strings.ReplaceAll(shown(someRelease(t), Show{}), someDigest, "SHA")
	if strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// What nobody was asked for says where it came from all the same, and images of one
// repository are told by their digests.
func TestReleaseTableOfKept(t *testing.T) {
	rel := someRelease(t).With(func(d *provider.ReleaseData) {
		d.Attempts = nil
		d.Components = d.Components[:1]
		d.Components[0].Image = imageref.Ref{}
	})
	got := shown(rel, Show{Sizes: &Sizes{Of: map[string]int64{rel.Image().Name(): 1}, Total: 1_234_567}, Digests: true})
	for _, want := range []string{"\nan earlier run had this from mirror.corp/ocp/release\n", "\n1 image in ", "SIZE  DIGEST\n", "1.2 MB in all"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := shown(rel.With(func(d *provider.ReleaseData) { d.Stale = true }), Show{}); !strings.Contains(got, "– no endpoint answers now; an earlier run had this from mirror.corp/ocp/release\n") {
		t.Error(got)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_500_000: "1.5 MB", 2_340_000_000: "2.3 GB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
