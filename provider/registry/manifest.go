package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
	"github.com/mirrorchain/mirrorchain/provider/registry/internal/wire"
)

// What of a manifest is read, besides its size: a descriptor takes two bytes in
// JSON and a hundred and more when decoded. Images have at most 127 layers with
// the usual storage drivers, and indexes some ten entries.
const (
	maxEntries = 4_096   // in manifests, in layers
	maxValues  = 100_000 // in the whole document
)

// accepted has schema 1 last: it is not read, but a registry that has nothing
// else should send it and not a 404 that says nothing.
var accepted = []string{
	string(types.OCIManifestSchema1), string(types.OCIImageIndex),
	string(types.DockerManifestSchema2), string(types.DockerManifestList),
	string(types.DockerManifestSchema1Signed), string(types.DockerManifestSchema1),
}

// manifest is a verified image manifest.
type manifest struct {
	digest   string
	named    string              // what the reference names: digest, or that of the index
	body     []byte              // what digest is of; nil where it is large, see manifestSlots
	platform provider.Platform   // chosen from an index; zero where there was none
	among    []provider.Platform // what that index has entries for
	config   v1.Descriptor
	layers   []v1.Descriptor // from the bottom up
}

// document is what a manifest or an index may hold, to tell one from the other
// by what is in it.
type document struct {
	SchemaVersion int64           `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	ArtifactType  string          `json:"artifactType"`
	Manifests     descriptors     `json:"manifests"`
	Config        *v1.Descriptor  `json:"config"`
	Layers        descriptors     `json:"layers"`
	FSLayers      json.RawMessage `json:"fsLayers"` // schema 1
}

// descriptors is nil for null, as for none at all.
type descriptors []v1.Descriptor

func (l *descriptors) UnmarshalJSON(b []byte) error {
	list, err := jsonlimit.Objects[v1.Descriptor](b, maxEntries)
	if err != nil {
		return fmt.Errorf("manifests or layers: %w", err)
	}
	*l = list
	return nil
}

// manifest reads what s names; from an index, the one child for platform. It is nil
// where s still names unless, a digest known already.
func (p *Provider) manifest(ctx context.Context, s source, platform provider.Platform, unless string) (*manifest, error) {
	id := s.ref.Identifier()
	if err := knownDigest(s.ref.Digest()); err != nil {
		return nil, located(s.ref, "", fail(provider.ClassInvalid, err))
	}
	d, doc, err := p.document(ctx, s, id, nil, unless)
	switch {
	case err != nil:
		return nil, located(s.ref, "reading the manifest", err)
	case doc == nil:
		return nil, nil
	}
	named := d.digest
	var chosen provider.Platform
	var among []provider.Platform
	if doc.isIndex() {
		among = platformsOf(doc.Manifests)
		child, err := choose(doc.Manifests, platform)
		if err != nil {
			return nil, located(s.ref, "reading the index", err)
		}
		chosen = platformOf(child)
		wanted := cmp.Or(chosen, platform.OrDefault()) // the entry may not say
		if d, doc, err = p.document(ctx, s, child.Digest.String(), &child, ""); err != nil {
			return nil, located(s.ref, "reading the manifest for "+wanted.String(), err)
		}
		if doc.isIndex() {
			return nil, located(s.ref, "reading the index", fail(provider.ClassMalformed, fmt.Errorf("its entry for %s is another index; indexes in indexes are not read", wanted)))
		}
	}
	m := doc.manifest(d, named, chosen)
	m.among = among
	return m, nil
}

func (d *document) manifest(v verified, named string, platform provider.Platform) *manifest {
	m := &manifest{digest: v.digest, named: named, platform: platform, config: bare(*d.Config)}
	if len(v.body) <= largeManifest {
		m.body = v.body
	}
	for _, l := range d.Layers {
		m.layers = append(m.layers, bare(l))
	}
	return m
}

// bare returns what is needed of a descriptor. The rest, annotations above all, may be nearly
// all of a manifest, and somebody may hold on to many images.
func bare(d v1.Descriptor) v1.Descriptor {
	return v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}
}

// verified is a body and its digest.
type verified struct {
	digest string
	body   []byte
}

// document reads and verifies one manifest or index. desc is what an index says
// of it, nil where nothing does. A nil document is the registry's word that it is
// still unless.
func (p *Provider) document(ctx context.Context, s source, id string, desc *v1.Descriptor, unless string) (v verified, doc *document, err error) {
	limit := p.cfg.Limits.Manifest
	if desc != nil && desc.Size > limit {
		return v, nil, fail(provider.ClassLimit, fmt.Errorf("a manifest of %d bytes; at most %d are read", desc.Size, limit))
	}
	slot := p.manifests.slot()
	defer slot.leave()
	resp, err := p.get(ctx, s, "manifests/"+id, accepted, unless)
	if err != nil {
		return v, nil, err
	}
	defer func() { resp.Close() }()
	header := resp.Header.Get("Docker-Content-Digest")
	if resp.Status == http.StatusNotModified {
		if header == "" || header == unless {
			return v, nil, nil
		}
		resp.Close()
		return p.document(ctx, s, id, desc, "") // it means something else by the question
	}
	v.body, err = readManifest(ctx, resp, limit, slot)
	if provider.ClassOf(err) == provider.ClassUnreachable && ctx.Err() == nil { // cut off; once more
		resp.Close()
		second, failed := p.get(ctx, s, "manifests/"+id, accepted, "")
		if failed != nil {
			return v, nil, failed
		}
		resp = second
		header = resp.Header.Get("Docker-Content-Digest")
		v.body, err = readManifest(ctx, resp, limit, slot)
	}
	if err != nil {
		return v, nil, err
	}
	v.digest, err = verifyManifest(v.body, id, header)
	if plain, ok := resp.Unzip(v.body, limit); err != nil && ok {
		if digest, e := verifyManifest(plain, id, header); e == nil {
			v, err = verified{digest, plain}, nil
		}
	}
	pinned := err == nil && strings.Contains(id, ":")
	if err == nil {
		if doc, err = parseDocument(v.body, resp.Header.Get("Content-Type")); err != nil {
			err = undecodable(err)
		}
	}
	if err != nil {
		if page := resp.Page(v.body); page != nil && !pinned { // or somebody pushed one
			err = page
		}
		return v, nil, err
	}
	if desc != nil && desc.Size != int64(len(v.body)) {
		return v, nil, fail(provider.ClassMalformed, fmt.Errorf("the index says %d bytes, and %s has %d", desc.Size, v.digest, len(v.body)))
	}
	return v, doc, nil
}

// knownDigest checks the digest of a reference, if it has one. imageref takes more
// of them than can be verified here.
func knownDigest(digest string) error {
	if digest == "" {
		return nil
	}
	if _, err := v1.NewHash(digest); err != nil {
		return fmt.Errorf("%w; only sha256 and sha512 digests can be verified", err)
	}
	return nil
}

// verifyManifest returns the digest of body, which must be id if that is a digest.
// For a tag nothing is pinned; then the registry's own header must be right.
func verifyManifest(body []byte, id, header string) (string, error) {
	want, pinned := id, strings.Contains(id, ":")
	if !pinned {
		want = header
	}
	h, err := v1.NewHash(want)
	switch {
	case err == nil:
	case pinned: // by an index: of a reference it was checked before
		return "", fail(provider.ClassMalformed, err)
	default:
		h = v1.Hash{Algorithm: "sha256"} // an unknown or missing header
	}
	hasher, err := v1.Hasher(h.Algorithm)
	if err != nil {
		return "", fail(provider.ClassMalformed, err)
	}
	hasher.Write(body)
	got := fmt.Sprintf("%s:%x", h.Algorithm, hasher.Sum(nil))
	switch {
	case h.Hex == "" || got == h.String():
		return got, nil
	case pinned:
		return "", fail(provider.ClassDigest, fmt.Errorf("the bytes are %s, not %s", got, h))
	}
	return "", fail(provider.ClassDigest, fmt.Errorf("the bytes are %s, and the registry's own header says %s", got, h))
}

var errSchema1 = errors.New("a Docker schema 1 manifest, which is not supported; push the image again with a current client")

// parseDocument goes by what was verified, the body, before the header: who can
// choose the header could have one body read in two ways.
func parseDocument(body []byte, contentType string) (*document, error) {
	if err := jsonlimit.Values(body, maxValues); err != nil {
		return nil, fmt.Errorf("a manifest of %w", err)
	}
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return nil, fmt.Errorf("not a manifest: %w", wire.Clean(err))
	}
	header := types.MediaType(strings.ToLower(contentType))
	if kind, _, err := mime.ParseMediaType(contentType); err == nil {
		header = types.MediaType(kind)
	}
	kind := d.MediaType
	if kind == "" {
		kind = header
	}
	if d.SchemaVersion == 1 || kind.IsSchema1() || d.FSLayers != nil {
		return nil, errSchema1
	}
	switch {
	case d.SchemaVersion != 2:
		return nil, fmt.Errorf("not a manifest: its schemaVersion is %d, not 2", d.SchemaVersion)
	case d.Manifests != nil && (d.Config != nil || d.Layers != nil):
		return nil, errors.New("both a manifest and an index; it is not read as either")
	case d.Manifests == nil && (d.Config == nil || d.Layers == nil):
		return nil, fmt.Errorf("neither an image manifest nor an index (media type %q)", wire.CleanText(string(kind)))
	case d.MediaType != "" && !d.MediaType.IsIndex() && !d.MediaType.IsImage():
		return nil, fmt.Errorf("media type %q is neither an image manifest nor an index", wire.CleanText(string(kind)))
	case kind.IsIndex() && d.Manifests == nil, kind.IsImage() && d.Manifests != nil,
		header.IsIndex() && d.Manifests == nil, header.IsImage() && d.Manifests != nil:
		return nil, fmt.Errorf("it claims to be %q and is not", wire.CleanText(string(kind)))
	}
	d.MediaType = kind
	return &d, nil
}

func (d *document) isIndex() bool { return d.Manifests != nil }

// undecodable returns err as that of verified content that could not be decoded: over a
// limit, or not what it should be.
func undecodable(err error) error {
	if _, tooLarge := errors.AsType[*jsonlimit.Error](err); tooLarge {
		return fail(provider.ClassLimit, err)
	}
	return fail(provider.ClassMalformed, err)
}
