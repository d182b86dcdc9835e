package sigstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
)

// payload is what a signature signs, in the format "simple signing" of cosign.
type payload struct {
	digest   string
	identity string
}

var digestPattern = regexp.MustCompile(`^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$`)

// parsePayload reads a payload as strictly as containers/image does (signature/internal,
// UntrustedSigstorePayload).
func parsePayload(data []byte) (p payload, err error) {
	var critical, optional, image, identity json.RawMessage
	var kind string
	if err := exactObject(data, map[string]any{"critical": &critical, "optional": &optional}); err != nil {
		return p, err
	}
	if !bytes.Equal(optional, []byte("null")) {
		var creator string
		var timestamp float64
		err := strictObject(optional, func(key string) any {
			switch key {
			case "creator":
				return &creator
			case "timestamp":
				return &timestamp
			}
			return new(any)
		})
		if err != nil {
			return p, fmt.Errorf("optional: %w", err)
		}
		if timestamp != float64(int64(timestamp)) {
			return p, errors.New("optional: the timestamp is not a whole number")
		}
	}
	if err := exactObject(critical, map[string]any{"type": &kind, "image": &image, "identity": &identity}); err != nil {
		return p, fmt.Errorf("critical: %w", err)
	}
	if kind != "cosign container image signature" {
		return p, fmt.Errorf("the type is %.100q, not \"cosign container image signature\"", kind)
	}
	if err := exactObject(image, map[string]any{"docker-manifest-digest": &p.digest}); err != nil {
		return p, fmt.Errorf("critical.image: %w", err)
	}
	if !digestPattern.MatchString(p.digest) {
		return p, fmt.Errorf("critical.image: %.100q is not a digest", p.digest)
	}
	if err := exactObject(identity, map[string]any{"docker-reference": &p.identity}); err != nil {
		return p, fmt.Errorf("critical.identity: %w", err)
	}
	return p, nil
}
