package registriesconf

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Conf is what one file, or a file with its drop-ins, says.
type Conf struct {
	tables   map[string]table // by prefix
	dropIns  map[string]table // of drop-ins, by prefix
	warnings []policy.Warning
}

// table is a [[registry]] table.
type table struct {
	Prefix             string   `toml:"prefix"`
	Location           string   `toml:"location"`
	Insecure           bool     `toml:"insecure"`
	Blocked            bool     `toml:"blocked"`
	MirrorByDigestOnly bool     `toml:"mirror-by-digest-only"`
	PullFromMirror     string   `toml:"pull-from-mirror"` // of mirrors only; read to refuse it
	NamespaceProxy     string   `toml:"namespace-proxy"`
	Mirrors            []mirror `toml:"mirror"`

	origin string
}

// mirror is a [[registry.mirror]] table.
type mirror struct {
	Location       string `toml:"location"`
	Insecure       bool   `toml:"insecure"`
	PullFromMirror string `toml:"pull-from-mirror"`
	NamespaceProxy string `toml:"namespace-proxy"`
}

// document is the part of a file that concerns where images are pulled from. The
// other fields are there to be known.
type document struct {
	Registry []table `toml:"registry"`

	V1 struct { // only version 1 has it
		Search, Insecure, Block struct {
			Registries []string `toml:"registries"`
		}
	} `toml:"registries"`

	UnqualifiedSearch any `toml:"unqualified-search-registries"`
	CredentialHelpers any `toml:"credential-helpers"`
	ShortNameMode     any `toml:"short-name-mode"`
	LayerStoreHelper  any `toml:"additional-layer-store-auth-helper"`
	Aliases           any `toml:"aliases"`
}

// Decode reads one file. where is how origins and errors name it,
// "file:/etc/containers/registries.conf". What is wrong is a
// [*policy.InvalidPolicyError] that names the line or the table.
func Decode(where string, data []byte) (Conf, error) {
	if !utf8.Valid(data) {
		return Conf{}, invalid(where, "the text is not UTF-8; save it as UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // a byte order mark is no content
	if err := checkDepth(where, string(data)); err != nil {
		return Conf{}, err
	}
	var doc document
	meta, err := toml.Decode(string(data), &doc)
	if err != nil {
		return Conf{}, tomlError(where, err)
	}
	if v1 := doc.V1; v1.Search.Registries != nil || v1.Insecure.Registries != nil || v1.Block.Registries != nil {
		return Conf{}, invalid(where, "this is version 1 of registries.conf, which nothing reads any more; "+
			"state each of its registries as a [[registry]] table with location, and insecure or blocked = true")
	}
	if a, b, ok := ambiguous(meta.Keys()); ok {
		return Conf{}, invalid(where, "%q and %q are the same key in one table, and which of the two counts is left to chance; remove one", a, b)
	}
	c := Conf{tables: make(map[string]table, len(doc.Registry))}
	c.warnUndecoded(where, meta.Undecoded())
	lines := headers(string(data), len(doc.Registry))
	for i := range doc.Registry {
		t := &doc.Registry[i]
		t.origin = origin(where, lines, i)
		if err := t.check(); err != nil {
			return Conf{}, &policy.InvalidPolicyError{Origin: t.origin, Err: err}
		}
		c.warnProxy(t)
	}
	if err := agree(doc.Registry); err != nil {
		return Conf{}, err
	}
	for _, t := range doc.Registry {
		if first, twice := c.tables[t.Prefix]; twice {
			c.warn(policy.WarnNotEnforced, fmt.Sprintf("%s: the prefix %q has a table already, at %s, and the first one counts",
				t.origin, t.Prefix, first.origin), first.origin, t.origin)
			continue
		}
		c.tables[t.Prefix] = t
	}
	return c, nil
}

// Apply adds d as a drop-in: its tables replace those of earlier drop-ins with the same
// prefix. Those of c itself stay, since API objects edit them first.
func (c *Conf) Apply(d Conf) {
	if c.dropIns == nil {
		c.dropIns = make(map[string]table, len(d.tables))
	}
	maps.Copy(c.dropIns, d.tables)
	c.warnings = append(c.warnings, d.warnings...)
}

// ambiguous finds two keys of one table that differ in case alone. The decoder
// takes either for the field, in random order.
func ambiguous(keys []toml.Key) (a, b string, found bool) {
	spelt := map[string]string{} // as written, by the folded key
	for _, k := range keys {
		name := k.String()
		folded := strings.ToLower(name)
		if last, again := spelt[folded]; again && last != name {
			return last, name, true
		}
		if folded == "registry" || folded == "registry.mirror" { // a new table
			maps.DeleteFunc(spelt, func(other, _ string) bool { return strings.HasPrefix(other, folded+".") })
		}
		spelt[folded] = name
	}
	return "", "", false
}

// tomlError says what is wrong and where, without quoting the file.
func tomlError(where string, err error) error {
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		if pe.Position.Line > 0 {
			where = fmt.Sprintf("%s:%d", where, pe.Position.Line)
		}
		if pe.Message != "" {
			return invalid(where, "%s", pe.Message)
		}
	}
	return invalid(where, "%s", strings.TrimPrefix(err.Error(), "toml: "))
}

func origin(where string, lines []int, i int) string {
	if lines != nil {
		where = fmt.Sprintf("%s:%d", where, lines[i])
	}
	return fmt.Sprintf("%s [[registry]]#%d", where, i+1)
}

// headers are the lines of the [[registry]] headers. The TOML decoder does not
// tell; where the count is not the decoder's (inline tables, a header inside a
// string), lines are left out rather than guessed.
func headers(text string, want int) []int {
	var lines []int
	n := 0
	for line := range strings.Lines(text) {
		n++
		head, _, _ := strings.Cut(line, "#")
		if strings.Join(strings.Fields(head), "") == "[[registry]]" {
			lines = append(lines, n)
		}
	}
	if len(lines) != want {
		return nil
	}
	return lines
}

func (c *Conf) warn(code, message string, origins ...string) {
	c.warnings = append(c.warnings, policy.Warning{Code: code, Origins: origins, Message: message})
}

// warnUndecoded names keys that are ignored, as containers/image ignores them.
func (c *Conf) warnUndecoded(where string, keys []toml.Key) {
	var names []string
	for _, k := range keys {
		if k[0] == "aliases" || k[0] == "registries" || len(k) > 4 {
			continue
		}
		names = append(names, k.String())
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		c.warn(policy.WarnNotEnforced, fmt.Sprintf("%s: the key %q is not known and is ignored, as nodes ignore it", where, name), where)
	}
}

// warnProxy names a setting that containers/image has had since v5.42 and that
// changes what a mirror is asked.
func (c *Conf) warnProxy(t *table) {
	set := t.NamespaceProxy != ""
	for _, m := range t.Mirrors {
		set = set || m.NamespaceProxy != ""
	}
	if set {
		c.warn(policy.WarnNotEnforced, t.origin+": namespace-proxy is ignored: requests carry no \"ns\" parameter", t.origin)
	}
}

func invalid(origin, format string, args ...any) error {
	return &policy.InvalidPolicyError{Origin: origin, Err: fmt.Errorf(format, args...)}
}
