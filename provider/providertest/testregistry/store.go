package testregistry

import (
	"maps"
	"slices"
	"sync"

	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
)

// store is the content, by repository. A blob is seen only in the repositories
// it was pushed to.
type store struct {
	mu    sync.RWMutex
	repos map[string]*repository
}

type repository struct {
	manifests map[string]testpayload.Image // by digest
	tags      map[string]string            // digest by tag
	blobs     map[string]testpayload.Blob  // by digest
}

func newStore() *store { return &store{repos: make(map[string]*repository)} }

// Push stores an image, or an index with its children, under a tag if that is
// not "". It returns the digest.
func (r *Registry) Push(repo, tag string, img testpayload.Image) string {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	s := r.store.repos[repo]
	if s == nil {
		s = &repository{
			manifests: make(map[string]testpayload.Image),
			tags:      make(map[string]string),
			blobs:     make(map[string]testpayload.Blob),
		}
		r.store.repos[repo] = s
	}
	s.add(img)
	if tag != "" {
		s.tags[tag] = img.Digest
	}
	return img.Digest
}

func (s *repository) add(img testpayload.Image) {
	s.manifests[img.Digest] = img
	for _, b := range img.Blobs {
		s.blobs[b.Digest] = b
	}
	for _, c := range img.Children {
		s.add(c)
	}
}

// Remove removes what reference names in a repository: a tag, or the manifest
// or blob of a digest.
func (r *Registry) Remove(repo, reference string) {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if s := r.store.repos[repo]; s != nil {
		delete(s.tags, reference)
		delete(s.manifests, reference)
		delete(s.blobs, reference)
	}
}

// Stored is an image that a registry has.
type Stored struct {
	Repository string // it is in
	Tag        string // "" for one without
	testpayload.Image
}

// Stored returns what r has, in no order: each image once for each of its tags, or once
// without any.
func (r *Registry) Stored() []Stored {
	r.store.mu.RLock()
	defer r.store.mu.RUnlock()
	var all []Stored
	for name, repo := range r.store.repos {
		tagged := make(map[string]bool)
		for tag, digest := range repo.tags {
			tagged[digest] = true
			all = append(all, Stored{name, tag, repo.manifests[digest]})
		}
		for digest, img := range repo.manifests {
			if !tagged[digest] {
				all = append(all, Stored{name, "", img})
			}
		}
	}
	return all
}

func (s *store) manifest(repo, reference string) (testpayload.Image, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.repos[repo]
	if r == nil {
		return testpayload.Image{}, false
	}
	if d, ok := r.tags[reference]; ok {
		reference = d
	}
	img, ok := r.manifests[reference]
	return img, ok
}

func (s *store) blob(repo, digest string) (testpayload.Blob, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.repos[repo]
	if r == nil {
		return testpayload.Blob{}, false
	}
	b, ok := r.blobs[digest]
	return b, ok
}

func (s *store) tags(repo string) ([]string, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	r := s.repos[repo]
	if r == nil {
		return nil, false
	}
	return slices.Sorted(maps.Keys(r.tags)), true
}
