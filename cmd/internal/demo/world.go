package demo

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

const (
	repository       = "openshift-release-dev/ocp-release"
	mirrorRepository = "openshift/release-images"

	components       = "quay.io/openshift-release-dev/ocp-v4.0-art-dev" // as releases name them
	mirrorComponents = "openshift/release"
	version          = "4.17.3"

	// Of a registry that lives as long as the demo and listens on loopback.
	user, password = "demo", "demo"
)

// world is three registries and the files of an administrator.
type world struct {
	dir                   string
	source, first, second *testregistry.Registry
	layer                 testpayload.Blob // the release layer
	policy                string           // the ImageDigestMirrorSet
	digest                string
	release               string // by digest, at the source
}

// newWorld starts the registries and writes the files. On an error nothing is
// left running.
func newWorld(dir string) (_ *world, err error) {
	w := &world{dir: dir}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	release := testpayload.Release{Version: version}
	image, err := release.Image()
	if err != nil {
		return nil, fmt.Errorf("building the release: %w", err)
	}
	w.layer = image.Top()
	ca, err := testregistry.NewCA()
	if err != nil {
		return nil, fmt.Errorf("making a certificate authority: %w", err)
	}
	for _, r := range []struct {
		at   **testregistry.Registry
		auth testregistry.Auth
	}{
		{at: &w.source},
		{at: &w.first},
		{at: &w.second, auth: testregistry.Auth{
			Scheme: testregistry.Basic,
			Users:  []testregistry.User{{Name: user, Password: password}},
		}},
	} {
		if *r.at, err = testregistry.Start(testregistry.Config{CA: ca, Auth: r.auth}); err != nil {
			return nil, fmt.Errorf("starting a registry: %w", err)
		}
	}
	w.digest = w.second.Push(mirrorRepository, version, image)
	for _, name := range release.ComponentNames() {
		if name != "etcd" && name != "hypershift" { // for release check to find out
			w.second.Push(mirrorComponents, "", release.ComponentImage(name))
		}
	}
	w.second.Push(mirrorComponents, "", release.KubeVirtImage(""))
	w.first.Fail(testregistry.Match{}, testregistry.Status(503))
	w.source.Down()
	w.release = w.source.ByDigest(repository, w.digest).String()

	return w, w.writeFiles(ca)
}

func (w *world) writeFiles(ca *testregistry.CA) error {
	files := map[string]string{
		"idms.yaml": fmt.Sprintf(`apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata:
  name: release
spec:
  imageDigestMirrors:
  - source: %s/openshift-release-dev/ocp-release
    mirrors:
    - %s/%s
    - %s/%s
  - source: %s
    mirrors:
    - %s/%s
`, w.source.Host(), w.first.Host(), mirrorRepository, w.second.Host(), mirrorRepository, components, w.second.Host(), mirrorComponents),
		"pull-secret.json": fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}
`, w.second.Host(), base64.StdEncoding.EncodeToString([]byte(user+":"+password))),
	}
	for _, r := range []*testregistry.Registry{w.source, w.first, w.second} {
		files[filepath.Join("certs.d", r.Host(), "ca.crt")] = string(ca.PEM())
	}
	w.policy = files["idms.yaml"]
	for name, content := range files {
		path := filepath.Join(w.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("writing the files of the demo: %w", err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return fmt.Errorf("writing the files of the demo: %w", err)
		}
	}
	return nil
}

func (w *world) close() {
	for _, r := range []*testregistry.Registry{w.source, w.first, w.second} {
		if r != nil {
			r.Close()
		}
	}
}

// tamper makes the second mirror serve the release layer with one bit changed.
func (w *world) tamper() {
	w.second.Fail(testregistry.Match{Kind: testregistry.Blob, Reference: w.layer.Digest}, testregistry.FlipByte(1000))
}

func (w *world) introduce(p *printer) {
	p.say("Three registries on this machine stand in for a disconnected site:")
	p.say("  %s  the source, switched off", w.source.Host())
	p.say("  %s  the first mirror, answers 503 to everything", w.first.Host())
	p.say("  %s  the second mirror, wants a login and has release %s", w.second.Host(), version)
	p.say("%s is a temporary directory. The release is named as at its source, by digest:", dirName)
	fmt.Fprintf(p.w, "  DIGEST=%s\n", w.digest)
	p.say("  RELEASE=%s", w.release)
	p.say("")
	p.say("$ cat %s/idms.yaml", dirName)
	p.say("%s", strings.TrimRight(w.policy, "\n"))
}
