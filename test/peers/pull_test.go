package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/copy"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/pkg/sysregistriesv2"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"

	chainnode "github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/registry"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// TestPull has nodes' own code pull images, by the files that chain/node/nodefiles makes,
// from registries that lack things and fail. Package chain/node must ask the same endpoints
// in the same order, come to the same verdict, and give the same kind of reason.
func TestPull(t *testing.T) {
	keys, net, dir := newKeys(t), newNetwork(t), t.TempDir()
	base, err := registry.New(registry.Config{Dial: net.dial})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { base.Close() })
	seen := coverage{}
	compared := 0
	for i := range *worlds {
		g := newGenerator(*seed + uint64(i))
		w := g.pullWorld(t, keys)
		if w == nil {
			continue
		}
		net.serve(w.content, w.down)
		theirs := w.pull(t, net, filepath.Join(dir, fmt.Sprint(i)))
		theirsAsked := net.asked(w.top)
		ours := w.ours(t, base)
		oursAsked := net.asked(w.top)
		if theirs.class != ours.class || !slices.Equal(theirsAsked, oursAsked) {
			t.Errorf("world of seed %d: %s\npolicies %s\nnodes: %s, asked %q: %v\nours:  %s, asked %q: %v\n%s", *seed+uint64(i), w.image, w.describe(),
				theirs.class, theirsAsked, theirs.err, ours.class, oursAsked, ours.err, strings.Join(w.states, "\n"))
			if i > 50 {
				break
			}
		}
		compared++
		w.cover(seen, theirs.class, len(theirsAsked))
	}
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%7d %s", seen[what], what)
	}
	if compared < *worlds*3/4 && *worlds >= 1000 {
		t.Errorf("only %d of %d worlds could be compared", compared, *worlds)
	}
	t.Logf("%7d worlds compared", compared)
	for _, want := range []string{
		forbidden, "accepted, something is blocked", "accepted, something is allowed", "forbidden, something is blocked", "forbidden, something is allowed",
		"accepted, it runs and is blocked",
		"accepted, wildcard source", "no signature, wildcard source", "every endpoint is blocked", "a mirror makes no reference",
		"accepted", noManifest, noInstance, unreadable, noSignature, rejected, "accepted, list", "accepted, one platform", "accepted by a later endpoint", "accepted by tag",
		"accepted without a policy", "accepted, wildcard scope", "rejected, wildcard scope", "accepted, logged", "accepted, ExactRepository", "accepted, RemapIdentity", "accepted, MatchRepository",
		"accepted, another registries.d", "no signature, another registries.d", "no signature, the source alone is set",
		"no signature, a later endpoint has a signature", "no signature, the list is signed", "no instance, a later endpoint has it",
	} {
		if seen[want] == 0 && *worlds >= 1000 {
			t.Errorf("no world is %q", want)
		}
	}
}

// Kinds of verdicts.
const (
	accepted    = "accepted"
	noManifest  = "no manifest" // at any endpoint
	noInstance  = "no instance"
	unreadable  = "unreadable" // signatures, for another reason than that there are none
	noSignature = "no signature"
	rejected    = "rejected"
	forbidden   = "forbidden" // whoever serves it
)

type verdict struct {
	class string
	err   error
}

// pullWorld is an image, the policies of a node, and what the registries have.
type pullWorld struct {
	world          // the image by its name, and its policies
	top     string // what the pull asks for: a tag or a digest
	byTag   bool
	list    bool
	arch    string
	stated  policy.Policy
	rules   *policy.Rules
	files   []nodefiles.File // of a node with these rules and policies
	read    []sigstore.ImagePolicy
	content map[string]served // by "HOST/REPOSITORY REFERENCE"
	down    map[string]bool   // by host

	registriesD map[string]string // files that are there in place of ours; nil for ours

	unmovable bool // a mirror makes no reference of the image

	states   []string // of the endpoints, in words, in their order
	sigs     []string // what they have of signatures
	complete []bool   // they have all of the image
}

// pull returns what nodes do. Files are left in dir.
func (w *pullWorld) pull(t *testing.T, net *network, dir string) verdict {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", w.image, err)
		}
	}
	files := slices.Clone(w.files)
	for name, text := range w.registriesD {
		files = append(files, nodefiles.File{Name: "registries.d/" + name, Data: []byte(text)})
	}
	for _, f := range files {
		if w.registriesD != nil && f.Name == nodefiles.SigstoreRegistries {
			continue
		}
		path := filepath.Join(dir, f.Name)
		must(errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, f.Data, 0o644)))
	}
	conf := filepath.Join(dir, nodefiles.RegistriesConf)
	sys := &types.SystemContext{
		SystemRegistriesConfPath: conf, SystemRegistriesConfDirPath: conf + ".d", RegistriesDirPath: filepath.Join(dir, "registries.d"),
		DockerProxyURL: net.proxy, AuthFilePath: filepath.Join(dir, "auth.json"), DockerPerHostCertDirPath: filepath.Join(dir, "certs.d"),
		OSChoice: "linux", ArchitectureChoice: w.arch, BlobInfoCacheDir: dir,
	}
	must(os.WriteFile(sys.AuthFilePath, []byte("{}"), 0o600))
	policy, err := signature.NewPolicyFromFile(filepath.Join(dir, nodefiles.PolicyJSON))
	must(err)
	pc, err := signature.NewPolicyContext(policy)
	must(err)
	defer pc.Destroy()
	src, err := docker.ParseReference("//" + w.image)
	must(err)
	dst, err := directory.NewReference(filepath.Join(dir, "image"))
	must(err)
	_, err = copy.Image(context.Background(), pc, dst, src, &copy.Options{SourceCtx: sys, RemoveSignatures: true})
	sysregistriesv2.InvalidateCache()
	must(os.RemoveAll(dir))
	return verdict{w.classify(err), err}
}

// classify sorts the errors of nodes by their words, as there is no other way.
func (w *pullWorld) classify(err error) string {
	if err == nil {
		return accepted
	}
	text := strings.TrimPrefix(err.Error(), "copying system image from manifest list: ")
	rest, isRejected := strings.CutPrefix(text, "Source image rejected: ")
	switch {
	case isRejected && strings.HasPrefix(rest, "A signature was required, but no signature exists"):
		return noSignature
	case isRejected && (strings.Contains(rest, sigstore.Tag(w.digest)+" in ") || strings.Contains(rest, "fetching blob") || strings.Contains(rest, "unexpected MIME type for sigstore attachment manifest") || strings.Contains(rest, "does not match expected digest") || strings.Contains(rest, "digest mismatch")):
		return unreadable
	case isRejected && strings.HasPrefix(rest, "Running image ") && strings.HasSuffix(rest, " is rejected by policy."):
		return forbidden
	case isRejected:
		return rejected
	case strings.Contains(text, "choosing an image from manifest list"), w.list && strings.Contains(text, "reading manifest "+w.digest):
		return noInstance
	}
	return noManifest
}

// ours returns what package chain/node says that nodes do.
func (w *pullWorld) ours(t *testing.T, base provider.ContentProvider) verdict {
	t.Helper()
	policies, err := sigstore.NewPolicies(w.read...)
	if err != nil {
		t.Fatal(err)
	}
	n := chainnode.Node{Base: base, Policies: policies, Admission: chainnode.NewAdmission(w.rules, []policy.Policy{w.stated})}
	if w.registriesD != nil {
		folder := fstest.MapFS{}
		for name, text := range w.registriesD {
			folder[name] = &fstest.MapFile{Data: []byte(text)}
		}
		read, err := nodefiles.ReadRegistriesD(folder, "registries.d")
		if err != nil {
			t.Fatal(err)
		}
		n.Reads = read.Reads
	}
	asked, err := n.Pull(t.Context(), provider.Request{Image: imageref.MustParse(w.image), Rules: w.rules, Platform: provider.Platform{OS: "linux", Architecture: w.arch}})
	if err != nil { // every endpoint is blocked, or a mirror makes no reference
		return verdict{noManifest, err}
	}
	last := asked[len(asked)-1]
	_, isForbidden := errors.AsType[*chainnode.RejectedError](last.Err)
	switch {
	case isForbidden:
		return verdict{forbidden, last.Err}
	case last.Stage == chainnode.Done:
		return verdict{accepted, last.Err}
	case last.Stage == chainnode.Manifest:
		return verdict{noManifest, last.Err}
	case last.Stage == chainnode.Instance:
		return verdict{noInstance, last.Err}
	case errors.Is(last.Err, sigstore.ErrNoSignature):
		return verdict{noSignature, last.Err}
	case errors.Is(last.Err, sigstore.ErrRejected):
		return verdict{rejected, last.Err}
	}
	return verdict{unreadable, last.Err}
}

func (w *pullWorld) describe() string {
	text, err := json.Marshal(w.read)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// cover counts what the world is about.
func (w *pullWorld) cover(seen coverage, class string, asked int) {
	seen.add(class)
	seen.addIf(class+", list", w.list)
	seen.addIf(class+", one platform", !w.list)
	seen.addIf(class+" by a later endpoint", asked > 1)
	seen.addIf(class+" by tag", w.byTag)
	seen.addIf(class+", another registries.d", w.registriesD != nil)
	if asked > 0 && asked <= len(w.sigs) {
		seen.addIf(class+", the list is signed", w.sigs[asked-1] == "of the list")
		seen.addIf(class+", a later endpoint has a signature", slices.Contains(w.sigs[asked:], "good"))
		seen.addIf(class+", a later endpoint has it", slices.Contains(w.complete[asked:], true))
	}
	for _, r := range w.stated.Rules {
		seen.addIf(class+", wildcard source", strings.HasPrefix(r.Source, "*."))
	}
	seen.addIf(class+", something is blocked", len(w.stated.Blocked) > 0)
	seen.addIf(class+", something is allowed", len(w.stated.Allowed) > 0)
	seen.addIf(class+", it runs and is blocked", len(w.stated.Payloads) > 0 && len(w.rules.Blocked()) > 0)
	seen.addIf("every endpoint is blocked", len(w.states) == 0 && !w.unmovable)
	seen.addIf("a mirror makes no reference", w.unmovable)
	seen.addIf(class+", the source alone is set", len(w.registriesD) == 1)
	covered := false
	for _, p := range w.policies {
		for _, s := range p.scopes {
			if !w.covers(s) {
				continue
			}
			covered = true
			seen.addIf(class+", wildcard scope", strings.HasPrefix(s, "*."))
			seen.addIf(class+", logged", p.logged)
			if p.id.match != "" {
				seen.add(class + ", " + p.id.match)
			}
		}
	}
	seen.addIf(class+" without a policy", !covered)
}

// manifest returns a manifest of one platform.
func platformManifest(arch string) (config, manifest []byte) {
	config = fmt.Appendf(nil, `{"architecture":%q,"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`, arch)
	return config, fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},"layers":[]}`,
		sigstore.ManifestMediaType, digest.FromBytes(config), len(config))
}
