package payload

import (
	"encoding/json"
	"fmt"

	"github.com/mirrorchain/mirrorchain/provider"
)

const metadataKind = "cincinnati-metadata-v0"

// decodeMetadata reads release-metadata. A later kind than the one known says
// nothing, since nothing here needs it to.
func decodeMetadata(b []byte) (provider.Metadata, error) {
	var m struct {
		Kind     string         `json:"kind"`
		Previous []string       `json:"previous"`
		Next     []string       `json:"next"`
		Metadata map[string]any `json:"metadata"`
	}
	if err := json.Unmarshal(b, &m); err != nil {
		return provider.Metadata{}, fmt.Errorf("not release metadata in JSON: %w", err)
	}
	if m.Kind != metadataKind {
		return provider.Metadata{}, nil
	}
	url, _ := m.Metadata["url"].(string)
	return provider.Metadata{Previous: m.Previous, Next: m.Next, URL: url}, nil
}
