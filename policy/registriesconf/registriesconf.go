// Package registriesconf writes rules as containers-registries.conf(5), version 2: the
// file by which container runtimes mirror. Packages of sources read it.
package registriesconf

import (
	"bytes"

	"github.com/BurntSushi/toml"

	"github.com/mirrorchain/mirrorchain/policy"
)

// table is a [[registry]] table.
type table struct {
	Prefix             string   `toml:"prefix"`
	Location           string   `toml:"location,omitempty"`
	Insecure           bool     `toml:"insecure,omitempty"`
	Blocked            bool     `toml:"blocked,omitempty"`
	MirrorByDigestOnly bool     `toml:"mirror-by-digest-only,omitempty"`
	Mirrors            []mirror `toml:"mirror,omitempty"`
}

type mirror struct {
	Location       string `toml:"location"`
	Insecure       bool   `toml:"insecure,omitempty"`
	PullFromMirror string `toml:"pull-from-mirror,omitempty"`
}

// Encode writes rules. The same rules give the same bytes. Who reads the file asks the
// candidates of [policy.Rules.Candidates] in their order. A Rewrite rule becomes the
// location of its source: a client that reads the file contacts the target and never
// the source.
func Encode(rules *policy.Rules) ([]byte, error) {
	var doc struct {
		Registry []*table `toml:"registry"`
	}
	tables := make(map[string]*table)
	for _, rule := range rules.Policy().Rules {
		t := tables[rule.Source]
		if t == nil {
			t = &table{Prefix: rule.Source}
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
			one := mirror{Location: m.Location, Insecure: m.Insecure}
			switch {
			case rule.DigestOnly: // said of the table, and may not be said again
			case rule.Pull == policy.PullDigest:
				one.PullFromMirror = "digest-only"
			case rule.Pull == policy.PullTag:
				one.PullFromMirror = "tag-only"
			}
			t.Mirrors = append(t.Mirrors, one)
		}
	}
	var b bytes.Buffer
	err := toml.NewEncoder(&b).Encode(doc)
	return b.Bytes(), err
}
