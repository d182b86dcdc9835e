package payload

import (
	"bytes"

	"github.com/BurntSushi/toml"

	"github.com/mirrorchain/mirrorchain/policy"
)

// registriesTable is a [[registry]] table of containers-registries.conf(5).
type registriesTable struct {
	Prefix             string             `toml:"prefix"`
	Location           string             `toml:"location,omitempty"`
	Insecure           bool               `toml:"insecure,omitempty"`
	Blocked            bool               `toml:"blocked,omitempty"`
	MirrorByDigestOnly bool               `toml:"mirror-by-digest-only,omitempty"`
	Mirrors            []registriesMirror `toml:"mirror,omitempty"`
}

type registriesMirror struct {
	Location       string `toml:"location"`
	Insecure       bool   `toml:"insecure,omitempty"`
	PullFromMirror string `toml:"pull-from-mirror,omitempty"`
}

// registriesConf writes rules as a registries.conf. A Rewrite rule becomes the location
// of its source: a client that reads the file contacts the target and never the source.
func registriesConf(rules *policy.Rules) ([]byte, error) {
	var doc struct {
		Registry []*registriesTable `toml:"registry"`
	}
	tables := make(map[string]*registriesTable)
	for _, rule := range rules.Policy().Rules {
		t := tables[rule.Source]
		if t == nil {
			t = &registriesTable{Prefix: rule.Source}
			if rule.Source != "" && rule.Source[0] != '*' {
				t.Location = rule.Source
			}
			tables[rule.Source] = t
			doc.Registry = append(doc.Registry, t)
		}
		if rule.Kind == policy.KindRewrite {
			t.Location = rule.Mirrors[0].Location
			continue
		}
		if rule.Location != "" {
			t.Location = rule.Location
		}
		t.Insecure, t.Blocked, t.MirrorByDigestOnly = rule.Insecure, rule.NeverContactSource, rule.DigestOnly
		for _, m := range rule.Mirrors {
			mirror := registriesMirror{Location: m.Location, Insecure: m.Insecure}
			switch {
			case rule.DigestOnly: // said of the table, and may not be said again
			case rule.Pull == policy.PullDigest:
				mirror.PullFromMirror = "digest-only"
			case rule.Pull == policy.PullTag:
				mirror.PullFromMirror = "tag-only"
			}
			t.Mirrors = append(t.Mirrors, mirror)
		}
	}
	var b bytes.Buffer
	err := toml.NewEncoder(&b).Encode(doc)
	return b.Bytes(), err
}
