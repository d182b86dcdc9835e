package verify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
)

// Signature is one signature as a store has it.
type Signature struct {
	Data   []byte // an OpenPGP message
	Origin string // the place, for a person: a file, a URL, a key of a ConfigMap
}

// Store has signatures. Implementations are safe for concurrent use.
type Store interface {
	// Name returns the store as a person would point at it.
	Name() string
	// Signatures yields the signatures of digest in the store's order, or errors of single
	// ones and of the store itself. [Trust.Verify] looks at [MaxSignatures] of them, and
	// refuses those that are larger than [MaxSignature]. A digest has no slash.
	Signatures(ctx context.Context, digest string) iter.Seq2[Signature, error]
}

// numbered yields what get returns for "signature-1", "signature-2", … up to the first one
// that is missing (fs.ErrNotExist).
func numbered(ctx context.Context, get func(ctx context.Context, name string) (Signature, error)) iter.Seq2[Signature, error] {
	return func(yield func(Signature, error) bool) {
		for n := 1; n <= MaxSignatures && ctx.Err() == nil; n++ {
			s, err := get(ctx, fmt.Sprintf("signature-%d", n))
			if errors.Is(err, fs.ErrNotExist) || !yield(s, err) {
				return
			}
		}
	}
}

// folder returns the name of a digest's folder: "sha256=HEX".
func folder(digest string) string { return strings.Replace(digest, ":", "=", 1) }

// DirStore returns a store of a folder that holds sha256=HEX/signature-1, signature-2 and
// so on, as the official stores do. name is the folder's.
func DirStore(name string, fsys fs.FS) Store { return dirStore{name, "", fsys} }

// LookasideStore returns a store of a lookaside folder of containers/image, as registries.d
// names them, for one repository: it holds REPOSITORY@sha256=HEX/signature-1 and so on,
// where repository is the path without the registry, such as
// "openshift-release-dev/ocp-release".
func LookasideStore(name string, fsys fs.FS, repository string) Store {
	return dirStore{name, repository + "@", fsys}
}

type dirStore struct {
	name, prefix string
	fsys         fs.FS
}

func (s dirStore) Name() string { return s.name }

func (s dirStore) Signatures(ctx context.Context, digest string) iter.Seq2[Signature, error] {
	return numbered(ctx, func(_ context.Context, name string) (Signature, error) {
		return readFile(s.name, s.fsys, s.prefix+folder(digest)+"/"+name)
	})
}

// RawStore returns a store of a folder of plain signatures, as oc-mirror v2 leaves them in
// working-dir/signatures: the name of each file ends in sha256-HEX. name is the folder's.
func RawStore(name string, fsys fs.FS) Store { return rawStore{name, fsys} }

type rawStore struct {
	name string
	fsys fs.FS
}

func (s rawStore) Name() string { return s.name }

func (s rawStore) Signatures(ctx context.Context, digest string) iter.Seq2[Signature, error] {
	suffix := strings.Replace(digest, ":", "-", 1)
	return func(yield func(Signature, error) bool) {
		entries, err := fs.ReadDir(s.fsys, ".")
		if err != nil {
			yield(Signature{}, err)
			return
		}
		for _, e := range entries {
			if e.IsDir() || e.Name() != suffix && !strings.HasSuffix(e.Name(), "-"+suffix) || ctx.Err() != nil {
				continue
			}
			if !yield(readFile(s.name, s.fsys, e.Name())) {
				return
			}
		}
	}
}

// readFile reads a regular file, and no more than it takes to see that it is too large.
func readFile(dir string, fsys fs.FS, name string) (Signature, error) {
	s := Signature{Origin: path.Join(dir, name)}
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		return s, err
	case !info.Mode().IsRegular():
		return s, fmt.Errorf("%s: not a regular file", s.Origin)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return s, err
	}
	defer f.Close()
	s.Data, err = io.ReadAll(io.LimitReader(f, MaxSignature+1))
	return s, err
}

const (
	// The label of a ConfigMap that has signatures, whatever its value.
	signaturesLabel     = "release.openshift.io/verification-signatures"
	signaturesNamespace = "openshift-config-managed"
)

// ConfigMap is the part of a Kubernetes ConfigMap that matters here, as JSON has it.
type ConfigMap struct {
	// Metadata names the object, and has its labels.
	Metadata struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Data       map[string]string `json:"data"`       // no place for signatures
	BinaryData map[string][]byte `json:"binaryData"` // signatures by "sha256-HEX" with any ending
	Origin     string            `json:"-"`          // the file, or the cluster
}

// ConfigMapStore returns a store of ConfigMaps, as oc adm release mirror and oc-mirror
// write them: keys that begin with sha256-HEX, in binaryData. Several may be merged in one
// object, under any name. The cluster-version operator reads them in the namespace
// openshift-config-managed by the label release.openshift.io/verification-signatures; an
// object without it, or of another namespace, or with a signature in data, has an error that
// says so. One that names no namespace is taken for one of that.
func ConfigMapStore(name string, objects ...ConfigMap) Store {
	return configMapStore{name, slices.Clone(objects)}
}

type configMapStore struct {
	name    string
	objects []ConfigMap
}

func (s configMapStore) Name() string { return s.name }

func (s configMapStore) Signatures(_ context.Context, digest string) iter.Seq2[Signature, error] {
	prefix := strings.Replace(digest, ":", "-", 1)
	return func(yield func(Signature, error) bool) {
		for _, o := range s.objects {
			if !o.signatures(prefix, yield) {
				return
			}
		}
	}
}

func (o *ConfigMap) signatures(prefix string, yield func(Signature, error) bool) bool {
	origin := strings.TrimPrefix(o.Origin+" configmap/"+o.Metadata.Name, " ")
	_, labelled := o.Metadata.Labels[signaturesLabel]
	for _, key := range matching(o.BinaryData, prefix) {
		switch ns := o.Metadata.Namespace; {
		case !labelled:
			return yield(Signature{}, fmt.Errorf("%s has signatures, but not the label %s, so the cluster-version operator does not read it", origin, signaturesLabel))
		case ns != "" && ns != signaturesNamespace:
			return yield(Signature{}, fmt.Errorf("%s has signatures, but in the namespace %.100s and not in %s, so the cluster-version operator does not read it", origin, ns, signaturesNamespace))
		}
		if !yield(Signature{o.BinaryData[key], origin + " " + key}, nil) {
			return false
		}
	}
	for _, key := range matching(o.Data, prefix) {
		if !yield(Signature{}, fmt.Errorf("%s has %s in data; signatures are read from binaryData, in base64", origin, key)) {
			return false
		}
	}
	return true
}

// matching returns the sorted keys with a prefix.
func matching[T any](m map[string]T, prefix string) []string {
	var out []string
	for key := range m {
		if strings.HasPrefix(key, prefix) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}
