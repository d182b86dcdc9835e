package peers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/mirrorchain/mirrorchain/chain/node/nodefiles"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

const (
	ociIndex       = "application/vnd.oci.image.index.v1+json"
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
)

// Where images are, and where mirrors are. All are insecure, as their certificates are of
// a test.
var (
	pullHosts   = []string{"quay.io", "registry.example.com", "a.registry.example.com:5000", "localhost:5000"}
	mirrorHosts = []string{"mirror-a.corp", "mirror-b.corp:8443", "mirror-c.example.com"}
)

// pullWorld makes a world; nil for one whose policies nodes do not take.
func (g generator) pullWorld(t *testing.T, keys *keys) *pullWorld {
	t.Helper()
	name := g.pick(pullHosts) + "/" + g.pick(sigPaths)
	w := &pullWorld{list: g.chance(60), byTag: g.chance(30), arch: "amd64", content: make(map[string]served), down: make(map[string]bool)}
	if g.chance(4) {
		w.arch = "s390x"
	}
	_, amd := platformManifest("amd64")
	w.digest = digest.FromBytes(amd).String()
	_, topDigest, _ := w.topManifest()
	if w.top, w.image = topDigest, name+"@"+topDigest; w.byTag {
		w.top, w.image = "1", name+":1"
	}
	for range 1 + g.IntN(2) {
		w.policies = append(w.policies, g.imagePolicy(name, w.image, keys))
	}
	for _, p := range w.policies {
		w.read = append(w.read, p.read(t))
	}
	var err error
	w.stated = g.mirrorPolicy(name)
	switch n := g.IntN(100); {
	case n < 20:
		for range 1 + g.IntN(2) {
			w.stated.Blocked = append(w.stated.Blocked, policy.Scope{Name: g.pick(scopesAround(name))})
		}
		if g.chance(40) {
			w.stated.Payloads = []policy.Payload{{Image: imageref.MustParse(w.image)}}
		}
	case n < 35: // they go round the policies, or the machine-config operator renders nothing
		for _, p := range w.policies {
			for _, s := range p.scopes {
				w.stated.Allowed = append(w.stated.Allowed, policy.Scope{Name: s})
			}
		}
		w.stated.Allowed = append(w.stated.Allowed, policy.Scope{Name: g.pick(scopesAround(name))})
	}
	if w.rules, err = policy.NewRules(policy.RulesConfig{}, w.stated); err != nil {
		return nil // TestPeers compares the refusals
	}
	if w.files, err = nodefiles.Render(w.rules, []policy.Policy{w.stated}, w.read...); err != nil {
		return nil // of which nodes get no files: a policy in a blocked scope
	}
	candidates, err := w.rules.Candidates(imageref.MustParse(w.image))
	w.unmovable = err != nil
	for _, host := range append(mirrorHosts, pullHosts...) {
		w.down[host] = g.chance(6)
	}
	for _, c := range candidates {
		g.fill(t, w, name, c.Ref.Name(), keys)
	}
	if g.chance(35) {
		w.registriesD = g.registriesD(name, candidates)
	}
	return w
}

// registriesD makes files that somebody may have put on a node: for the source alone, for
// some of the mirrors, for parts of their names, on and off.
func (g generator) registriesD(name string, candidates []policy.Candidate) map[string]string {
	scopes := []string{name, "*.corp", "*.com", "*.example.com", "localhost:5000"}
	for _, c := range candidates {
		scopes = append(scopes, slices.Collect(sigstore.ScopesOf(c.Ref))...)
	}
	files := map[string]string{"a.yaml": "", "b.yaml": "docker:\n", "ignored.conf": "docker: [1]"}
	if g.chance(25) {
		files["a.yaml"] = fmt.Sprintf("default-docker: {use-sigstore-attachments: %v}\n", g.chance(60))
	}
	written := make(map[string]bool)
	for range 1 + g.IntN(4) {
		scope := g.pick(scopes)
		if written[scope] {
			continue
		}
		written[scope] = true
		entry := g.pick([]string{"{use-sigstore-attachments: true}", "{use-sigstore-attachments: true}", "{use-sigstore-attachments: yes}", "{use-sigstore-attachments: false}", "{other: 1}", "{}"})
		files["b.yaml"] += fmt.Sprintf("  %q: %s\n", scope, entry)
	}
	if g.chance(30) { // for the source alone
		files = map[string]string{"a.yaml": fmt.Sprintf("docker: {%q: {use-sigstore-attachments: true}}", name)}
	}
	return files
}

// mirrorPolicy states mirrors for a few sources around name.
func (g generator) mirrorPolicy(name string) policy.Policy {
	var p policy.Policy
	host, _, _ := strings.Cut(name, "/")
	sources := append(scopesAround(name), name, host)
	sources = slices.DeleteFunc(sources, func(s string) bool { return slices.Contains(mirrorHosts, s) })
	for range 1 + g.IntN(3) {
		r := policy.Rule{Source: g.pick(sources), Pull: policy.PullBy(g.IntN(3)), NeverContactSource: g.chance(40)}
		for range 1 + g.IntN(3) {
			r.Mirrors = append(r.Mirrors, policy.Mirror{Location: g.pick(mirrorHosts) + g.pick([]string{"/m", "/n", "/ocp/release"})})
		}
		p.Rules = append(p.Rules, r)
	}
	for _, host := range append(mirrorHosts, pullHosts...) {
		// Nodes do not take an insecure host in a wildcard that has mirrors.
		for _, r := range p.Rules {
			if domain, ok := strings.CutPrefix(r.Source, "*"); ok {
				if bare, _, _ := strings.Cut(host, ":"); strings.HasSuffix(bare, domain) {
					host = r.Source
				}
			}
		}
		p.Insecure = append(p.Insecure, policy.Scope{Name: host})
	}
	return p
}

// scopesAround returns scopes that name lies in, some that it does not lie in, and those of
// mirrors.
func scopesAround(name string) []string {
	out := append(slices.Clone(mirrorHosts), "*.example.com", "*.com", "*.corp", "quay.io")
	for s := range sigstore.ScopesOf(imageref.MustParse(name + ":1")) {
		if !strings.HasSuffix(s, ":1") {
			out = append(out, s)
		}
	}
	return out
}

// topManifest returns what the pull spec names.
func (w *pullWorld) topManifest() (mediaType, id string, manifest []byte) {
	_, amd := platformManifest("amd64")
	mediaType, manifest = sigstore.ManifestMediaType, amd
	if w.list {
		_, arm := platformManifest("arm64")
		mediaType = ociIndex
		entry := func(m []byte, arch string) string {
			return fmt.Sprintf(`{"mediaType":%q,"digest":%q,"size":%d,"platform":{"os":"linux","architecture":%q}}`, sigstore.ManifestMediaType, digest.FromBytes(m), len(m), arch)
		}
		manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[%s,%s]}`, ociIndex, entry(arm, "arm64"), entry(amd, "amd64"))
	}
	return mediaType, digest.FromBytes(manifest).String(), manifest
}

// fill decides what one endpoint has.
func (g generator) fill(t *testing.T, w *pullWorld, name, at string, keys *keys) {
	t.Helper()
	put := func(reference string, s served) { w.content[at+" "+reference] = s }
	mediaType, id, top := w.topManifest()
	config, amd := platformManifest("amd64")
	blob := func(b []byte) string {
		put(digest.FromBytes(b).String(), served{"application/octet-stream", b, 0})
		return digest.FromBytes(b).String()
	}
	blob(config)
	state := "complete"
	defer func() {
		w.states = append(w.states, fmt.Sprintf("%s: %s, signature %s, down %v", at, state, w.sigs[len(w.sigs)-1], w.down[at[:strings.IndexByte(at, '/')]]))
		w.complete = append(w.complete, state == "complete")
	}()
	both := func(s served) {
		put(id, s)
		if w.byTag {
			put("1", s)
		}
	}
	both(served{mediaType, top, 0})
	put(w.digest, served{sigstore.ManifestMediaType, amd, 0})
	switch n := g.IntN(100); {
	case n < 12:
		state = "nothing"
		for key := range w.content {
			if strings.HasPrefix(key, at+" ") {
				delete(w.content, key)
			}
		}
	case n < 20:
		state = "fails"
		both(served{status: g.status()})
	case n < 27 && w.list:
		state = "lacks the instance"
		delete(w.content, at+" "+w.digest)
	case n < 31 && w.list:
		state = "fails for the instance"
		put(w.digest, served{status: g.status()})
	}
	w.sigs = append(w.sigs, g.signatures(t, w, name, keys, put, blob))
}

func (g generator) status() int {
	return []int{http.StatusServiceUnavailable, http.StatusInternalServerError, http.StatusForbidden, http.StatusBadGateway}[g.IntN(4)]
}

// signatures decides which signatures an endpoint has, and says so.
func (g generator) signatures(t *testing.T, w *pullWorld, name string, keys *keys, put func(string, served), blob func([]byte) string) string {
	t.Helper()
	tag := sigstore.Tag(w.digest)
	good := func(of string) []sigstore.Attachment {
		p := w.policies[0]
		for _, other := range w.policies { // the one that covers the image, if any does
			if len(other.scopes) > 0 && w.covers(other.scopes[0]) {
				p = other
			}
		}
		return []sigstore.Attachment{g.goodAttachment(t, w, name, of, p, keys)}
	}
	at := func(tag, mediaType string, all []sigstore.Attachment) {
		put(tag, served{mediaType, attachmentManifest(mediaType, all, blob), 0})
	}
	_, list, _ := w.topManifest()
	_, arm := platformManifest("arm64")
	switch n := g.IntN(100); {
	case n < 42:
		at(tag, sigstore.ManifestMediaType, good(w.digest))
		return "good"
	case n < 54:
		return "none"
	case n < 60:
		if w.list {
			at(sigstore.Tag(list), sigstore.ManifestMediaType, good(list))
			return "of the list"
		}
		return "none"
	case n < 64:
		at(tag, sigstore.ManifestMediaType, good(digest.FromBytes(arm).String()))
		return "replayed"
	case n < 69:
		put(tag, served{status: g.status()})
		return "fails"
	case n < 72:
		at(tag, g.pick([]string{dockerManifest, ociIndex}), good(w.digest))
		return "in another type of manifest"
	case n < 77:
		all := good(w.digest)
		at(tag, sigstore.ManifestMediaType, all)
		put(all[0].Digest, served{status: []int{http.StatusNotFound, http.StatusServiceUnavailable}[g.IntN(2)]})
		return "without its payload"
	case n < 80:
		all := good(w.digest)
		at(tag, sigstore.ManifestMediaType, all)
		put(all[0].Digest, served{"application/octet-stream", []byte(strings.Repeat(" ", int(all[0].Size))), 0})
		return "with another payload"
	case n < 82:
		at(tag, sigstore.ManifestMediaType, nil)
		return "in an empty manifest"
	}
	var all []sigstore.Attachment
	for range 1 + g.IntN(3) {
		all = append(all, g.attachment(t, &w.world, name, keys))
	}
	at(tag, sigstore.ManifestMediaType, all)
	return "some"
}

// goodAttachment makes a signature that p accepts for the digest of.
func (g generator) goodAttachment(t *testing.T, w *pullWorld, name, of string, p imagePolicy, keys *keys) sigstore.Attachment {
	t.Helper()
	id := name
	switch rest, ok := strings.CutPrefix(name, p.id.prefix); {
	case p.id.match == "ExactRepository":
		id = p.id.repository
	case p.id.match == "RemapIdentity" && ok:
		id = p.id.signedPrefix + rest
	}
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, id+":1", of)
	signed := p.key.sign(t, payload)
	a := sigstore.Attachment{
		MediaType: sigstore.SignatureMediaType, Digest: digest.FromBytes(payload).String(), Size: int64(len(payload)), Payload: payload,
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signed)},
	}
	if p.key.certificate != "" {
		a.Annotations["dev.sigstore.cosign/certificate"] = p.key.certificate
	}
	if p.logged {
		a.Annotations["dev.sigstore.cosign/bundle"] = keys.log.logged(t, payload, signed, p.key.public)
	}
	return a
}

func attachmentManifest(mediaType string, all []sigstore.Attachment, blob func([]byte) string) []byte {
	type descriptor struct {
		MediaType   string            `json:"mediaType"`
		Digest      string            `json:"digest"`
		Size        int               `json:"size"`
		Annotations map[string]string `json:"annotations,omitempty"`
	}
	layers := []descriptor{}
	for _, a := range all {
		layers = append(layers, descriptor{a.MediaType, blob(a.Payload), len(a.Payload), a.Annotations})
	}
	config := []byte("{}")
	out, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": mediaType, "config": descriptor{"application/vnd.oci.image.config.v1+json", blob(config), len(config), nil}, "layers": layers,
	})
	if err != nil {
		panic(err)
	}
	return out
}
