// Package registriesconf writes rules as containers-registries.conf(5), version 2: the
// file by which container runtimes mirror. Packages of sources read it.
package registriesconf

import (
	"bytes"
	"slices"
	"strings"

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

	dropIn bool
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
func Encode(rules *policy.Rules) ([]byte, error) { return encode(tables(rules)) }

// EncodeNode writes rules as they are on a node: the tables of drop-ins apart from the
// others. Most often there is no drop-in, or one. Two tables that are pulled from one place
// on different terms are in different drop-ins, because nodes refuse a file with both.
func EncodeNode(rules *policy.Rules) (conf []byte, dropIns [][]byte, err error) {
	var main []*table
	var files [][]*table
	for _, t := range tables(rules) {
		if !t.dropIn {
			main = append(main, t)
			continue
		}
		i := slices.IndexFunc(files, func(file []*table) bool { return !slices.ContainsFunc(file, t.contradicts) })
		if i < 0 {
			i, files = len(files), append(files, nil)
		}
		files[i] = append(files[i], t)
	}
	if conf, err = encode(main); err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		data, err := encode(file)
		if err != nil {
			return nil, nil, err
		}
		dropIns = append(dropIns, data)
	}
	return conf, dropIns, nil
}

// contradicts reports whether nodes refuse two tables in one file.
func (t *table) contradicts(o *table) bool {
	return t.Location == o.Location && (t.Insecure != o.Insecure || t.Blocked != o.Blocked)
}

func encode(tables []*table) ([]byte, error) {
	var b bytes.Buffer
	err := toml.NewEncoder(&b).Encode(struct {
		Registry []*table `toml:"registry"`
	}{tables})
	return b.Bytes(), err
}

func tables(rules *policy.Rules) []*table {
	var all []*table
	byPrefix := make(map[string]*table)
	for _, rule := range rules.Policy().Rules {
		t := byPrefix[rule.Source]
		if t == nil {
			t = &table{Prefix: rule.Source, dropIn: rule.DropIn}
			if !strings.HasPrefix(rule.Source, "*.") {
				t.Location = rule.Source
			}
			byPrefix[rule.Source] = t
			all = append(all, t)
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
	return all
}
