package sigstore

import (
	"fmt"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Match says how the identity in a signature is compared with an image.
type Match string

// The values of matchPolicy in openshift/api config/v1, types_image_policy.go.
const (
	// MatchRepoDigestOrExact is the default. An image by digest needs an identity of the
	// same repository, with any tag or digest; an image by tag needs exactly its reference.
	MatchRepoDigestOrExact Match = "MatchRepoDigestOrExact"
	// MatchRepository needs an identity of the same repository.
	MatchRepository Match = "MatchRepository"
	// ExactRepository needs an identity of the repository that the policy names.
	ExactRepository Match = "ExactRepository"
	// RemapIdentity replaces a prefix of the image's repository, and then compares like
	// MatchRepoDigestOrExact.
	RemapIdentity Match = "RemapIdentity"
)

// Identity is the signedIdentity of a policy. The zero Identity is MatchRepoDigestOrExact.
type Identity struct {
	Match        Match  // the rule
	Repository   string // of ExactRepository
	Prefix       string // of RemapIdentity
	SignedPrefix string // of RemapIdentity
}

// check compares the identity that a signature states with image, the logical reference.
func (id Identity) check(image imageref.Ref, signed string) error {
	s, err := imageref.Parse(signed)
	if err != nil {
		return fmt.Errorf("the identity %.300q is not an image reference: %w", signed, err)
	}
	ok := false
	switch id.Match {
	case MatchRepoDigestOrExact, "":
		ok = repoDigestOrExact(image, s)
	case MatchRepository:
		ok = s.Name() == image.Name()
	case ExactRepository:
		exact, err := imageref.Parse(id.Repository)
		if err != nil {
			return fmt.Errorf("the repository %.300q of the policy: %w", id.Repository, err)
		}
		ok = s.Name() == exact.Name()
	case RemapIdentity:
		moved, err := id.remap(image)
		if err != nil {
			return err
		}
		ok = repoDigestOrExact(moved, s)
	default:
		return fmt.Errorf("the match policy %q is not supported", id.Match)
	}
	if !ok {
		return fmt.Errorf("the signature is for %.300q, which %s does not accept for %s", signed, id, image)
	}
	return nil
}

// String returns the rule as a person would write it.
func (id Identity) String() string {
	switch id.Match {
	case ExactRepository:
		return fmt.Sprintf("%s %s", id.Match, id.Repository)
	case RemapIdentity:
		return fmt.Sprintf("%s %s=%s", id.Match, id.Prefix, id.SignedPrefix)
	case "":
		return string(MatchRepoDigestOrExact)
	}
	return string(id.Match)
}

// repoDigestOrExact does what matchRepoDigestOrExactReferenceValues of containers/image
// does.
func repoDigestOrExact(image, signed imageref.Ref) bool {
	switch {
	case signed.Tag() == "" && signed.Digest() == "":
		return false
	case image.Digest() != "" && image.Tag() == "":
		return signed.Name() == image.Name()
	case image.Tag() != "":
		return signed == image
	}
	return false
}

// remap replaces Prefix, which ends at a slash or at the end of the repository.
func (id Identity) remap(image imageref.Ref) (imageref.Ref, error) {
	rest, ok := strings.CutPrefix(image.String(), id.Prefix)
	name := image.Name()
	if !ok || len(name) < len(id.Prefix) || len(name) > len(id.Prefix) && name[len(id.Prefix)] != '/' {
		return image, nil
	}
	moved, err := imageref.ParseCanonical(id.SignedPrefix + rest)
	if err != nil {
		return imageref.Ref{}, fmt.Errorf("%s cannot be moved from %s to %s: %w", image, id.Prefix, id.SignedPrefix, err)
	}
	return moved, nil
}
