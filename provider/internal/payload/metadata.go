package payload

import (
	"encoding/json"
	"fmt"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
)

const metadataKind = "cincinnati-metadata-v0"

// decodeMetadata reads release-metadata. A later kind than the one known says
// nothing, since nothing here needs it to.
func decodeMetadata(b []byte) (provider.Metadata, error) {
	if err := jsonlimit.Values(b, maxValues); err != nil {
		return provider.Metadata{}, err
	}
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
