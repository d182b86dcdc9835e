package cli

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/internal/test/registry"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// mirrorSite is a disconnected site: a real registry with a login, which mirrors a release
// and its components.
type mirrorSite struct {
	*registry.Registry
	dir     string
	signers signers
	release testpayload.Release
	image   testpayload.Image
}

const (
	releaseSource   = "quay.io/openshift-release-dev/ocp-release"
	componentSource = "quay.io/openshift-release-dev/ocp-v4.0-art-dev"
)

func newMirrorSite(t *testing.T) *mirrorSite {
	t.Helper()
	user := registry.User{Name: "puller", Password: "s3cr3t"}
	s := &mirrorSite{
		Registry: registry.Start(t, registry.Config{Auth: registry.Token, User: user}), dir: t.TempDir(),
		release: testpayload.Release{Version: "4.22.3", Components: 4, Manifests: -1, BootImages: testpayload.NoBootImages, BaseLayers: []int64{1000}},
	}
	s.image = testpayload.Must(s.release.Image())
	s.Push(t, "ocp/release", "", s.image)
	for _, name := range s.release.ComponentNames() {
		s.Push(t, "ocp/art", "", s.release.ComponentImage(name))
	}
	s.write(t, "certs.d/"+s.Host()+"/ca.crt", string(s.CA().PEM()))
	s.write(t, "auth.json", fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, s.Host(), base64.StdEncoding.EncodeToString([]byte(user.Name+":"+user.Password))))
	s.write(t, "idms.yaml", fmt.Sprintf(`apiVersion: config.openshift.io/v1
kind: ImageDigestMirrorSet
metadata: {name: site}
spec:
  imageDigestMirrors:
  - {source: %s, mirrors: [%s/ocp/release], mirrorSourcePolicy: NeverContactSource}
  - {source: %s, mirrors: [%s/ocp/art], mirrorSourcePolicy: NeverContactSource}
`, releaseSource, s.Host(), componentSource, s.Host()))
	policy, err := s.signers.policy("carol", "quay.io/openshift-release-dev")
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "policy.yaml", string(policy))
	return s
}

func (s *mirrorSite) write(t *testing.T, name, content string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// copySignature puts a signature where oc image mirror would copy it.
func (s *mirrorSite) copySignature(t *testing.T, repo, digest, identity string) {
	t.Helper()
	img, err := s.signers.signImage("carol", digest, identity)
	if err != nil {
		t.Fatal(err)
	}
	s.Push(t, repo, sigstore.Tag(digest), img)
}

// run runs the command in the site's folder.
func (s *mirrorSite) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut strings.Builder
	cmd := exec.CommandContext(t.Context(), filepath.Join(binDir, "mirrorchain"), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, &out, &errOut
	cmd.Env = []string{"HOME=" + s.dir, "PATH=" + os.Getenv("PATH")}
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

func (s *mirrorSite) ref() string { return releaseSource + "@" + s.image.Digest }

func (s *mirrorSite) check(t *testing.T) (code int, stdout, stderr string) {
	t.Helper()
	return s.run(t, "release", "check", "--signatures", "-s", "idms.yaml", "-a", "auth.json", "--cert-dir", "certs.d", "--image-policy", "policy.yaml", s.ref())
}

// The release and its components were mirrored, and their signatures were not. Then they
// are copied, one after another.
func TestSignaturesOnARealRegistry(t *testing.T) {
	s := newMirrorSite(t)
	code, out, hints := s.check(t)
	if code != 3 || !strings.Contains(out, "all 5 images are available") || !strings.Contains(out, "0 good, 5 missing") ||
		!strings.Contains(out, s.Host()+"/ocp/release:"+sigstore.Tag(s.image.Digest)) || !strings.Contains(out, "from these mirrors: no, because "+s.Host()+" has no signature of") ||
		!strings.Contains(hints, "to copy one: oc image mirror "+componentSource+":sha256-") {
		t.Fatalf("exit code %d\n%s%s", code, out, hints)
	}

	s.copySignature(t, "ocp/release", s.image.Digest, releaseSource+":4.22.3")
	names := s.release.ComponentNames()
	for _, name := range names[1:] {
		s.copySignature(t, "ocp/art", s.release.ComponentDigest(name), componentSource+":4.22.3")
	}
	code, out, hints = s.check(t)
	if code != 3 || !strings.Contains(out, "4 good, 1 missing") || !strings.HasSuffix(out, "no, because "+s.Host()+" has no signature of "+names[0]+"\n") {
		t.Fatalf("exit code %d\n%s%s", code, out, hints)
	}

	// What cosign 3 writes by default is there, and nodes do not see it.
	s.Push(t, "ocp/art", strings.TrimSuffix(sigstore.Tag(s.release.ComponentDigest(names[0])), ".sig"), testpayload.Index(false, s.release.ComponentImage(names[0])))
	if code, out, hints = s.check(t); code != 3 || !strings.Contains(hints, "in the format of OCI referrers, which nodes do not read") {
		t.Fatalf("exit code %d\n%s%s", code, out, hints)
	}

	// Signed by the mirror's own name.
	s.copySignature(t, "ocp/art", s.release.ComponentDigest(names[0]), s.Host()+"/ocp/art:4.22.3")
	if code, out, hints = s.check(t); code != 7 || !strings.Contains(out, "the signature is for \""+s.Host()+"/ocp/art:4.22.3\", which MatchRepoDigestOrExact does not accept") {
		t.Fatalf("exit code %d\n%s%s", code, out, hints)
	}

	s.copySignature(t, "ocp/art", s.release.ComponentDigest(names[0]), componentSource+":4.22.3")
	if code, out, hints = s.check(t); code != 0 || !strings.HasSuffix(out, "would accept this release from these mirrors: yes\n") || strings.Count(hints, "\n") != 1 || !strings.HasPrefix(hints, "note: assumed: ") {
		t.Fatalf("exit code %d\n%s%s", code, out, hints)
	}
}

// The ConfigMap of another release was applied. Then the right one is.
func TestGPGConfigMap(t *testing.T) {
	s := newMirrorSite(t)
	keyring, err := s.signers.keyring("alice")
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "alice.asc", string(keyring))
	configMap := func(digest string, labels map[string]string) {
		t.Helper()
		signature, err := s.signers.signGPG("alice", digest)
		if err != nil {
			t.Fatal(err)
		}
		key := strings.Replace(digest, ":", "-", 1)
		data, err := json.Marshal(map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "mirrored-release-signatures", "labels": labels}, "binaryData": map[string][]byte{key + "-1": signature},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, "signatures.json", string(data))
	}
	s.copySignature(t, "ocp/release", s.image.Digest, releaseSource+":4.22.3")
	verify := func() (int, string, string) {
		return s.run(t, "release", "verify", "--require", "both", "-s", "idms.yaml", "-a", "auth.json", "--cert-dir", "certs.d", "--image-policy", "policy.yaml",
			"--keyring", "alice.asc", "--signatures", "signatures.json", s.ref())
	}
	labels := map[string]string{"release.openshift.io/verification-signatures": ""}
	configMap(s.release.ComponentDigest("cli"), labels)
	if code, out, hints := verify(); code != 3 || !strings.Contains(out, "gpg       missing  no signature found") || !strings.Contains(out, "sigstore  good ") {
		t.Fatalf("exit code %d\n%s%s", code, out, hints)
	}
	configMap(s.image.Digest, nil)
	if code, out, hints := verify(); code != 3 || !strings.Contains(out, "but not the label release.openshift.io/verification-signatures") {
		t.Fatalf("exit code %d\n%s%s", code, out, hints)
	}
	configMap(s.image.Digest, labels)
	if code, out, hints := verify(); code != 0 || !strings.Contains(out, "gpg       good ") || !strings.Contains(out, "from these mirrors: yes") {
		t.Fatalf("exit code %d\n%s%s", code, out, hints)
	}
}
