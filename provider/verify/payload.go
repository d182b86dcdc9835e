package verify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// digestPattern is the one by which library-go accepts a digest (pkg/verify,
// validReleaseDigest).
var digestPattern = regexp.MustCompile(`^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$`)

func checkDigest(digest string) error {
	switch {
	case digest == "":
		return fmt.Errorf("%w: none is given; a tag proves nothing, so resolve it first", ErrInvalidDigest)
	case !digestPattern.MatchString(digest):
		return fmt.Errorf("%w: %.100q; want sha256:HEX", ErrInvalidDigest, digest)
	}
	return nil
}

// payload is the JSON document that is signed, an "atomic container signature" of
// containers/image (docs/containers-signature.5.md).
type payload struct {
	Critical struct {
		Type  string `json:"type"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Identity struct {
			Reference string `json:"docker-reference"`
		} `json:"identity"`
	} `json:"critical"`
	Optional struct {
		Creator   string `json:"creator"`
		Timestamp int64  `json:"timestamp"`
	} `json:"optional"`
}

// checkPayload returns the identity that the payload states for digest. It accepts what
// library-go accepts: unknown fields are refused, the identity is required but not
// compared, and bytes behind the document do not matter.
func checkPayload(data []byte, digest string) (identity string, err error) {
	var p payload
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return "", fmt.Errorf("the signed document is not a container signature: %w", err)
	}
	switch c := &p.Critical; {
	case c.Type != "atomic container signature":
		return "", fmt.Errorf("the signed document is of type %.100q, not \"atomic container signature\"", c.Type)
	case c.Identity.Reference == "":
		return "", errors.New("the signed document names no image")
	case c.Image.Digest != digest:
		return "", fmt.Errorf("it signs another digest, %.100q", c.Image.Digest)
	}
	return p.Critical.Identity.Reference, nil
}
