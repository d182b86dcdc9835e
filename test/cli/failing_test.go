package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// A mirror that answers 503 to everything but the release is asked for every image, and asked
// again for the first ones only.
func TestCheckOfFailingMirror(t *testing.T) {
	reg, err := testregistry.Start(testregistry.Config{PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	release := testpayload.Release{} // of 190 components
	digest := reg.Push("a/release", "", testpayload.Must(release.Image()))
	failing := testregistry.Match{Repository: "a/ocp"}
	reg.Fail(failing, testregistry.Status(503))
	cmd, stderr := command(t, "release", "check", "-s", "env:MIRRORS", "--insecure-registry", reg.Host(), "-o", "json", "quay.io/release@"+digest)
	cmd.Env = append(cmd.Env, fmt.Sprintf("MIRRORS=quay.io/release=%[1]s/a/release,quay.io/openshift-release-dev/ocp-v4.0-art-dev=%[1]s/a/ocp", reg.Host()))
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	if err := cmd.Run(); err == nil {
		t.Error("a check that could ask for no component succeeded")
	}
	var report struct {
		Complete bool
		Summary  struct{ Images, Found, Failed int }
	}
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s\n%s", err, &stdout, stderr)
	}
	if s := report.Summary; !report.Complete || s.Found != 1 || s.Failed != s.Images-1 || s.Images < 190 {
		t.Errorf("%+v\n%s", report, stderr)
	}
	asked := map[string]int{}
	for _, q := range reg.Requests(failing) {
		asked[q.Reference]++
	}
	// 16 requests are under way at a time. 2 more may begin before 3 of these were in vain.
	if n, most := reg.Count(failing), report.Summary.Failed+3*(16+2); len(asked) != report.Summary.Failed || n > most {
		t.Errorf("%d requests for %d images, want all %d, and at most %d requests", n, len(asked), report.Summary.Failed, most)
	}
}
