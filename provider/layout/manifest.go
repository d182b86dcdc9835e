package layout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
)

// What of a manifest is read. The numbers are those of provider/registry.
const (
	maxDescriptors = 4096
	maxValues      = 100_000
	maxManifest    = 4 << 20
)

// descriptor is what a manifest or an index says of other content.
type descriptor struct {
	MediaType string    `json:"mediaType"`
	Digest    string    `json:"digest"`
	Size      int64     `json:"size"`
	Platform  *platform `json:"platform"`
}

type platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
}

func (d descriptor) platform() (p provider.Platform) {
	if d.Platform != nil {
		p = provider.Platform{OS: d.Platform.OS, Architecture: d.Platform.Architecture, Variant: d.Platform.Variant}
	}
	return p
}

// descriptors is nil for null, as for none at all.
type descriptors []descriptor

func (l *descriptors) UnmarshalJSON(b []byte) (err error) {
	if *l, err = jsonlimit.Objects[descriptor](b, maxDescriptors); err != nil {
		return fmt.Errorf("manifests or layers: %w", err)
	}
	return nil
}

// document is a verified manifest or index.
type document struct {
	SchemaVersion int64       `json:"schemaVersion"`
	MediaType     string      `json:"mediaType"`
	Manifests     descriptors `json:"manifests"`
	Config        *descriptor `json:"config"`
	Layers        descriptors `json:"layers"`

	digest string
	body   []byte
}

func (d *document) isIndex() bool { return d.Manifests != nil }

const (
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociList     = "application/vnd.oci.image.index.v1+json"
)

// parse decodes a verified document. What it is, its content decides.
func parse(digest string, body []byte) (*document, error) {
	if err := jsonlimit.Values(body, maxValues); err != nil {
		return nil, fail(provider.ClassLimit, fmt.Errorf("a manifest of %w", err))
	}
	d := document{digest: digest, body: body}
	if err := json.Unmarshal(body, &d); err != nil {
		class := provider.ClassMalformed
		if _, tooLarge := errors.AsType[*jsonlimit.Error](err); tooLarge {
			class = provider.ClassLimit
		}
		return nil, fail(class, fmt.Errorf("%s is no manifest: %w", digest, err))
	}
	index, manifest := d.Manifests != nil, d.Config != nil && d.Layers != nil
	isList := strings.Contains(d.MediaType, ".index.") || strings.Contains(d.MediaType, ".list.")
	switch {
	case d.SchemaVersion != 2:
		return nil, fail(provider.ClassMalformed, fmt.Errorf("%s is no manifest that is supported: its schemaVersion is %d, not 2", digest, d.SchemaVersion))
	case index && (d.Config != nil || d.Layers != nil):
		return nil, fail(provider.ClassMalformed, fmt.Errorf("%s is both a manifest and an index; it is not read as either", digest))
	case !index && !manifest:
		return nil, fail(provider.ClassMalformed, fmt.Errorf("%s is neither an image manifest nor an index", digest))
	case d.MediaType != "" && isList != index:
		return nil, fail(provider.ClassMalformed, fmt.Errorf("%s claims to be %.100q and is not", digest, d.MediaType))
	case d.MediaType == "" && index:
		d.MediaType = ociList
	case d.MediaType == "":
		d.MediaType = ociManifest
	}
	return &d, nil
}

// document reads a manifest or an index.
func (s *Store) document(ctx context.Context, digest string) (*document, error) {
	f, err := s.open(digest)
	if err != nil {
		return nil, err
	}
	defer f.close()
	body, err := readVerified(ctx, f, digest, maxManifest)
	if err != nil {
		return nil, err
	}
	return parse(digest, body)
}

func (d *document) platforms() []provider.PlatformDigest {
	var all []provider.PlatformDigest
	for _, m := range d.Manifests {
		all = append(all, provider.PlatformDigest{Platform: m.platform(), Digest: m.Digest})
	}
	return all
}

// among returns what the index has entries for, each platform once.
func (d *document) among() []provider.Platform {
	var all []provider.Platform
	for _, m := range d.Manifests {
		if p := m.platform(); p.OS != "" && p.OS != "unknown" && !slices.Contains(all, p) { // "unknown" are attestations
			all = append(all, p)
		}
	}
	return all
}

// image is a manifest that was chosen.
type chosen struct {
	*document
	named    string // the digest that was asked for
	platform provider.Platform
	among    []provider.Platform
}

// named reads what ref names, a manifest or an index.
func (s *Store) named(ctx context.Context, ref imageref.Ref) (digest string, d *document, err error) {
	if digest, err = s.digestOf(ref); err != nil {
		return "", nil, located(ref, "", err)
	}
	if d, err = s.document(ctx, digest); err != nil {
		return "", nil, located(ref, "reading the manifest", err)
	}
	return digest, d, nil
}

// choose reads the manifest that ref names, from an index that for a platform.
func (s *Store) choose(ctx context.Context, req provider.Request) (*chosen, error) {
	digest, d, err := s.named(ctx, req.Image)
	if err != nil {
		return nil, err
	}
	if !d.isIndex() {
		return &chosen{document: d, named: digest}, nil
	}
	i := req.Platform.Choose(d.platforms())
	if i < 0 {
		return nil, located(req.Image, "reading the index", fail(provider.ClassNotFound, fmt.Errorf("the index has nothing for %s; there is %v", req.Platform.OrDefault(), d.among())))
	}
	c := &chosen{named: digest, platform: d.Manifests[i].platform(), among: d.among()}
	wanted := cmp.Or(c.platform, req.Platform.OrDefault()) // the entry may not say
	if c.document, err = s.document(ctx, d.Manifests[i].Digest); err != nil {
		return nil, located(req.Image, "reading the manifest for "+wanted.String(), err)
	}
	if c.isIndex() {
		return nil, located(req.Image, "reading the index", fail(provider.ClassMalformed, errors.New("its entry for "+wanted.String()+" is another index; indexes in indexes are not read")))
	}
	return c, nil
}
