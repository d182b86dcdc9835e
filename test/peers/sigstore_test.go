package peers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"go.podman.io/image/v5/directory"
	"go.podman.io/image/v5/docker"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/signature"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

var worlds = flag.Int("worlds", 1500, "how many random worlds of image policies and signatures to ask the peers about")

// TestSigstore asks the code that nodes run, and ours, whether an image may run: under
// random image policies, with random signatures. It wants the same verdict, and where
// there is no signature the same reason.
func TestSigstore(t *testing.T) {
	keys := newKeys(t)
	seen := coverage{}
	for i := range *worlds {
		g := newGenerator(*seed + uint64(i))
		w := g.world(t, keys)
		theirs, ours := w.peers(t), w.ours(t)
		if (theirs == nil) != (ours == nil) || unsigned(theirs) != errors.Is(ours, sigstore.ErrNoSignature) {
			t.Errorf("world of seed %d: %s\npolicy %s\nnodes: %v\nours:  %v", *seed+uint64(i), w.image, w.policy(t), theirs, ours)
			for _, a := range w.attachments {
				t.Logf("%s %s %v", a.MediaType, a.Payload, a.Annotations)
			}
			if i > 50 {
				break
			}
		}
		w.cover(seen, ours)
	}
	for _, want := range []string{
		"accepted", "refused", "no signature", "accepted without a policy", "accepted, wildcard",
		"accepted, rsa", "accepted, ecdsa256", "accepted, ecdsa521", "accepted, ed25519", "accepted, pki", "accepted, logged",
		"accepted, MatchRepoDigestOrExact", "accepted, MatchRepository", "accepted, ExactRepository", "accepted, RemapIdentity",
		"refused, MatchRepoDigestOrExact", "refused, MatchRepository", "refused, ExactRepository", "refused, RemapIdentity",
	} {
		if seen[want] == 0 && *worlds >= 1000 {
			t.Errorf("no world is %q", want)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		t.Logf("%7d %s", seen[what], what)
	}
}

// unsigned reports whether an error of nodes says that there is no signature at all.
func unsigned(err error) bool {
	return err != nil && strings.HasPrefix(err.Error(), "A signature was required, but no signature exists")
}

// world is one image, the policies of a node, and what the repository has beside the image.
type world struct {
	image       string
	manifest    []byte
	digest      string
	policies    []imagePolicy
	attachments []sigstore.Attachment
}

type imagePolicy struct {
	scopes []string
	key    *key
	logged bool // it wants to see that the signature was logged
	log    *key
	id     identity
}

type identity struct{ match, repository, prefix, signedPrefix string }

// object returns the policy as a ClusterImagePolicy.
func (p imagePolicy) object() map[string]any {
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	root := map[string]any{"policyType": "PublicKey"}
	if p.key.authority != "" {
		root["policyType"] = "PKI"
		root["pki"] = map[string]any{"caRootsData": encoded(p.key.authority), "pkiCertificateSubject": map[string]string{"email": p.key.email}}
	} else {
		public := map[string]any{"keyData": encoded(p.key.public)}
		if p.logged {
			public["rekorKeyData"] = encoded(p.log.public)
		}
		root["publicKey"] = public
	}
	policy := map[string]any{"rootOfTrust": root}
	if p.id.match != "" {
		id := map[string]any{"matchPolicy": p.id.match}
		switch p.id.match {
		case "ExactRepository":
			id["exactRepository"] = map[string]string{"repository": p.id.repository}
		case "RemapIdentity":
			id["remapIdentity"] = map[string]string{"prefix": p.id.prefix, "signedPrefix": p.id.signedPrefix}
		}
		policy["signedIdentity"] = id
	}
	return map[string]any{
		"apiVersion": "config.openshift.io/v1", "kind": "ClusterImagePolicy", "metadata": map[string]string{"name": "p"},
		"spec": map[string]any{"scopes": p.scopes, "policy": policy},
	}
}

// requirement returns the policy as the machine-config operator writes it into policy.json.
func (p imagePolicy) requirement() map[string]any {
	r := map[string]any{"type": "sigstoreSigned"}
	if p.key.authority != "" {
		r["pki"] = map[string]any{"caRootsData": []byte(p.key.authority), "subjectEmail": p.key.email}
	} else {
		r["keyData"] = []byte(p.key.public)
		if p.logged {
			r["rekorPublicKeyData"] = []byte(p.log.public)
		}
	}
	switch p.id.match {
	case "":
		r["signedIdentity"] = map[string]string{"type": "matchRepoDigestOrExact"}
	case "ExactRepository":
		r["signedIdentity"] = map[string]string{"type": "exactRepository", "dockerRepository": p.id.repository}
	case "RemapIdentity":
		r["signedIdentity"] = map[string]string{"type": "remapIdentity", "prefix": p.id.prefix, "signedPrefix": p.id.signedPrefix}
	default:
		r["signedIdentity"] = map[string]string{"type": strings.ToLower(p.id.match[:1]) + p.id.match[1:]}
	}
	return r
}

// policy returns the node's policy.json.
func (w *world) policy(t *testing.T) []byte {
	scopes := make(map[string][]any)
	for _, p := range w.policies {
		for _, s := range p.scopes {
			scopes[s] = append(scopes[s], p.requirement())
		}
	}
	out, err := json.Marshal(map[string]any{
		"default":    []any{map[string]string{"type": "insecureAcceptAnything"}},
		"transports": map[string]any{"docker": scopes},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// peers returns why a node refuses the image, nil for nothing. The image and its signatures
// are in a folder, since no registry matters to the verdict; the reference is the logical one.
func (w *world) peers(t *testing.T) error {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", w.image, err)
		}
	}
	must(os.WriteFile(filepath.Join(dir, "version"), []byte("Directory Transport Version: 1.1\n"), 0o600))
	must(os.WriteFile(filepath.Join(dir, "manifest.json"), w.manifest, 0o600))
	for i, a := range w.attachments {
		data, err := json.Marshal(map[string]any{"mimeType": a.MediaType, "payload": a.Payload, "annotations": a.Annotations})
		must(err)
		must(os.WriteFile(filepath.Join(dir, fmt.Sprintf("signature-%d", i+1)), append([]byte("\x00sigstore-json\n"), data...), 0o600))
	}
	folder, err := directory.NewReference(dir)
	must(err)
	src, err := folder.NewImageSource(context.Background(), nil)
	must(err)
	defer src.Close()
	logical, err := docker.ParseReference("//" + w.image)
	must(err)
	policy, err := signature.NewPolicyFromBytes(w.policy(t))
	must(err)
	pc, err := signature.NewPolicyContext(policy)
	must(err)
	defer pc.Destroy()
	allowed, err := pc.IsRunningImageAllowed(context.Background(), image.UnparsedInstanceWithReference(image.UnparsedInstance(src, nil), logical))
	if allowed != (err == nil) {
		t.Fatalf("allowed %v with %v", allowed, err)
	}
	return err
}

// ours returns why this project says that a node refuses the image.
func (w *world) ours(t *testing.T) error {
	t.Helper()
	var all []sigstore.ImagePolicy
	for _, p := range w.policies {
		all = append(all, p.read(t))
	}
	policies, err := sigstore.NewPolicies(all...)
	if err != nil {
		t.Fatal(err)
	}
	ref := imageref.MustParse(w.image)
	_, required := policies.For(ref)
	for _, r := range required {
		if _, err := r.Verify(ref, w.digest, w.attachments); err != nil {
			return err
		}
	}
	return nil
}

// cover counts what the world is about.
func (w *world) cover(seen coverage, err error) {
	verdict := "accepted"
	if err != nil {
		verdict = "refused"
		seen.addIf("no signature", errors.Is(err, sigstore.ErrNoSignature))
	}
	seen.add(verdict)
	for _, p := range w.policies {
		for _, s := range p.scopes {
			if !w.covers(s) {
				continue
			}
			seen.add(verdict + ", " + p.key.kind)
			seen.addIf(verdict+", logged", p.logged)
			seen.addIf(verdict+", wildcard", strings.HasPrefix(s, "*."))
			match := p.id.match
			if match == "" {
				match = "MatchRepoDigestOrExact"
			}
			seen.add(verdict + ", " + match)
			return
		}
	}
	seen.add(verdict + " without a policy")
}

// covers reports whether a scope may apply, as far as counting needs it.
func (w *world) covers(scope string) bool {
	if domain, ok := strings.CutPrefix(scope, "*"); ok {
		host, _, _ := strings.Cut(w.image, "/")
		host, _, _ = strings.Cut(host, ":")
		return strings.HasSuffix(host, domain)
	}
	return strings.HasPrefix(w.image, scope)
}

// Hosts and paths of images. Some names are parts of others.
var (
	sigHosts = []string{"quay.io", "registry.example.com", "a.registry.example.com:5000", "docker.io", "localhost:5000"}
	sigPaths = []string{"ocp", "ocp/release", "ocp/release/x", "ocp-release", "a/b/c/d"}
)

func (g generator) world(t *testing.T, keys *keys) *world {
	t.Helper()
	name := g.pick(sigHosts) + "/" + g.pick(sigPaths)
	w := &world{image: name, manifest: fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%064x","size":2},"layers":[]}`, g.Uint64())}
	w.digest = digest.FromBytes(w.manifest).String()
	if g.chance(70) {
		w.image += "@" + w.digest
	} else {
		w.image += ":" + g.pick([]string{"1", "latest"})
	}
	for range 1 + g.IntN(2) {
		w.policies = append(w.policies, g.imagePolicy(name, w.image, keys))
	}
	for range g.IntN(3) + g.IntN(2) {
		w.attachments = append(w.attachments, g.attachment(t, w, name, keys))
	}
	return w
}

func (g generator) imagePolicy(name, image string, keys *keys) imagePolicy {
	scopes := []string{image, name, g.pick(sigHosts), g.pick(sigHosts) + "/" + g.pick(sigPaths), "*.io", "*.example.com", "*.registry.example.com", "*.com"}
	for at := name; strings.Contains(at, "/"); {
		at = at[:strings.LastIndex(at, "/")]
		scopes = append(scopes, at, at)
	}
	p := imagePolicy{key: keys.all[g.IntN(len(keys.all))], log: keys.log}
	p.logged = p.key.authority == "" && g.chance(25)
	first := g.pick(scopes)
	if p.scopes = []string{first}; g.chance(30) {
		if second := g.pick(scopes); second != first {
			p.scopes = append(p.scopes, second)
		}
	}
	parent := name[:strings.LastIndex(name, "/")]
	switch p.id.match = g.pick([]string{"", "MatchRepoDigestOrExact", "MatchRepository", "ExactRepository", "RemapIdentity"}); p.id.match {
	case "ExactRepository":
		p.id.repository = g.pick([]string{name, "mirror.corp/ocp/release", "docker.io/library/ocp"})
	case "RemapIdentity":
		p.id.prefix = g.pick([]string{name, parent, parent, strings.TrimRight(name[:len(name)-1], "/"), "quay.io"})
		p.id.signedPrefix = g.pick([]string{"mirror.corp", "mirror.corp/ocp", "mirror.corp/ocp/release"})
	}
	return p
}

// attachment makes a signature for w, most often one that some policy could accept.
func (g generator) attachment(t *testing.T, w *world, name string, keys *keys) sigstore.Attachment {
	t.Helper()
	p := w.policies[g.IntN(len(w.policies))]
	signer := p.key
	if g.chance(12) {
		signer = keys.all[g.IntN(len(keys.all))]
	}
	payload := g.payload(g.signedFor(w, name, p), w.digest)
	signed := payload
	if g.chance(4) {
		signed = append([]byte(" "), payload...)
	}
	value := signer.sign(t, signed)
	encoded := base64.StdEncoding.EncodeToString(value)
	a := sigstore.Attachment{MediaType: sigstore.SignatureMediaType, Digest: digest.FromBytes(payload).String(), Size: int64(len(payload)), Payload: payload, Annotations: map[string]string{}}
	switch n := g.IntN(100); {
	case n < 3:
		encoded = ""
	case n < 5:
		encoded = "%" + encoded
	case n < 7:
		encoded = strings.ToLower(encoded)
	case n < 9:
		encoded += "\n"
	}
	if !g.chance(3) {
		a.Annotations["dev.cosignproject.cosign/signature"] = encoded
	}
	if signer.certificate != "" && !g.chance(8) {
		a.Annotations["dev.sigstore.cosign/certificate"] = signer.certificate
		if g.chance(50) {
			a.Annotations["dev.sigstore.cosign/chain"] = g.pick([]string{signer.authority, "", "none"})
		}
	}
	if p.logged && !g.chance(15) {
		log := keys.log
		if g.chance(10) {
			log = keys.all[1] // a foreign log
		}
		a.Annotations["dev.sigstore.cosign/bundle"] = log.logged(t, payload, value, signer.public)
	}
	if g.chance(5) {
		a.MediaType = "application/vnd.dsse.envelope.v1+json"
	}
	return a
}

// signedFor returns the identity that the signature states.
func (g generator) signedFor(w *world, name string, p imagePolicy) string {
	target := name
	switch rest, ok := strings.CutPrefix(name, p.id.prefix); {
	case p.id.match == "ExactRepository":
		target = p.id.repository
	case p.id.match == "RemapIdentity" && ok:
		target = p.id.signedPrefix + rest
	}
	tag := ":1"
	if _, own, ok := strings.Cut(w.image[strings.LastIndex(w.image, "/"):], ":"); ok && !strings.Contains(w.image, "@") {
		tag = ":" + own
	}
	switch n := g.IntN(100); {
	case n < 62:
		return target + tag
	case n < 72:
		return target + "@" + w.digest
	case n < 76:
		return target
	case n < 80:
		return target + tag + "@" + w.digest
	case n < 84:
		return name + ":other"
	case n < 87:
		_, path, _ := strings.Cut(target, "/")
		return "other.corp/" + path + tag
	case n < 92:
		return g.pick([]string{"mirror.corp/ocp/release:1", "ocp:1", "library/ocp:1", "docker.io/ocp:1", "quay.io/ocp:1"})
	}
	return g.pick([]string{"", "UPPER/case:1", "a b", "https://" + target, strings.TrimPrefix(target, "docker.io/") + tag, target + ":", "sha256:" + strings.Repeat("0", 64), strings.Repeat("0", 64)})
}

// payload returns the document that is signed, in about a third of cases an odd one.
func (g generator) payload(id, of string) []byte {
	if g.chance(6) {
		of = digest.FromString("other").String()
	}
	const whole = `{"critical":{"identity":{"docker-reference":%q},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":%s}`
	optional := g.pick([]string{"null", "null", "{}", `{"creator":"x","timestamp":1700000000}`, `{"other":[1,{"a":null}]}`})
	if g.chance(8) {
		optional = g.pick([]string{`{"timestamp":1.5}`, `{"timestamp":"1"}`, `{"creator":1}`, `[]`, `""`, `1`, `{"creator":"x","creator":"y"}`, `{"timestamp":1e3}`, `{"timestamp":1e30}`, `{"creator":null}`, `{"timestamp":null}`, " null", `{"Creator":1}`})
	}
	text := fmt.Sprintf(whole, id, of, optional)
	if !g.chance(15) {
		return []byte(text)
	}
	change := func(old, new string) string { return strings.Replace(text, old, new, 1) }
	return []byte(g.pick([]string{
		"", "null", "[]", "{}", "not JSON", text + " ", "\n" + text, text + "x", text + text, text[:len(text)-1],
		change(`"cosign container`, `"atomic container`), change(`"type"`, `"Type"`), change(`"critical"`, `"Critical"`),
		change(`,"optional":`, `,"more":1,"optional":`), change(`{"identity"`, `{"more":1,"identity"`), change(`{"docker-reference"`, `{"more":1,"docker-reference"`),
		change(`{"docker-manifest-digest"`, `{"more":1,"docker-manifest-digest"`), change(`,"type":"cosign container image signature"`, ""), change(`,"optional":`+optional, ""),
		change(`{"critical"`, `{"optional":null,"critical"`), change(`"type":`, `"type":"x","type":`), change(`"docker-reference":`, `"docker-reference":null,"docker-reference":`),
		change("sha256:", "SHA256:"), change("sha256:", "sha512:"), change("sha256:", ""),
		"\ufeff" + text, change(`"critical":`, "\"critical\" :\t"), strings.ReplaceAll(text, "/", `\/`), change(`"optional"`, `"optiona\u006c"`),
	}))
}
