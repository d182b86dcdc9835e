package registriesconf

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/internal/syntax"
)

// Conf is what one file, or a file with its drop-ins, says.
type Conf struct {
	where    string
	tables   map[string]table // by prefix
	dropIns  map[string]table // of drop-ins, by prefix
	search   []string         // unqualified-search-registries; those of drop-ins are not kept
	warnings []policy.Warning
}

// Foreign reports what a TOML file is that other programs read and that is no
// registries.conf: "containerd's hosts.toml". It is "" for every other text.
func Foreign(data []byte) string {
	var doc map[string]any
	data = trimBOM(data)
	if checkDepth("", string(data)) != nil || toml.Unmarshal(data, &doc) != nil {
		return ""
	}
	has := func(key string) bool { _, ok := doc[key]; return ok }
	switch {
	case has("registry"), has("registries"), has("unqualified-search-registries"), has("aliases"):
		return ""
	case has("crio"):
		return "CRI-O's crio.conf"
	case has("host"), has("server") && has("capabilities"):
		return "containerd's hosts.toml"
	case has("plugins"):
		return "containerd's config.toml"
	case has("storage"):
		return "containers' storage.conf"
	case has("engine"), has("containers"):
		return "containers.conf"
	}
	return ""
}

// Decode reads one file. where is how origins and errors name it,
// "file:/etc/containers/registries.conf". What is wrong is a
// [*policy.InvalidPolicyError] that names the line or the table.
func Decode(where string, data []byte) (Conf, error) {
	if !utf8.Valid(data) {
		return Conf{}, invalid(where, "the text is not UTF-8; save it as UTF-8")
	}
	text := string(trimBOM(data))
	if err := checkDepth(where, text); err != nil {
		return Conf{}, err
	}
	var raw map[string]any
	meta, err := toml.Decode(text, &raw)
	if err != nil {
		return Conf{}, tomlError(where, text, err)
	}
	if a, b, ok := ambiguous(meta.Keys()); ok {
		return Conf{}, invalid(where, "%q and %q are the same key in one table, and which of the two counts is left to chance; remove one", a, b)
	}
	r := &reader{where: where, text: text}
	tables, err := r.document(raw)
	if err != nil {
		return Conf{}, err
	}
	if err := agree(tables); err != nil {
		return Conf{}, err
	}
	c := Conf{where: where, tables: make(map[string]table, len(tables)), search: r.search, warnings: r.warnings}
	for _, t := range tables {
		if first, twice := c.tables[t.Prefix]; twice {
			c.warnings = append(c.warnings, warning(policy.WarnDuplicateTable, fmt.Sprintf("%s: the prefix %q has a table already, at %s, and the first one counts",
				t.origin, t.Prefix, first.origin), first.origin, t.origin))
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

// trimBOM removes a byte order mark, which is no content.
func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) }

// ambiguous finds two keys of one table that differ in case alone. The decoder of nodes
// takes either for the field, in random order.
func ambiguous(keys []toml.Key) (a, b string, found bool) {
	spelt := map[string]string{} // as written, by the folded key
	for _, k := range keys {
		name := k.String()
		folded := strings.ToLower(name)
		if last, seen := spelt[folded]; seen && last != name {
			return last, name, true
		}
		if folded == "registry" || folded == "registry.mirror" { // a new table
			maps.DeleteFunc(spelt, func(other, _ string) bool { return strings.HasPrefix(other, folded+".") })
		}
		spelt[folded] = name
	}
	return "", "", false
}

// tomlError says what is wrong and where, in words for people who write the file.
func tomlError(where, text string, err error) error {
	pe, ok := errors.AsType[toml.ParseError](err)
	if !ok || pe.Position.Line < 1 {
		return invalid(where, "%s", strings.TrimPrefix(err.Error(), "toml: "))
	}
	at := fmt.Sprintf("%s:%d", where, pe.Position.Line)
	if e := syntax.Mistake(text, pe.Position.Line); e != "" {
		return invalid(at, "%s", e)
	}
	message := pe.Message
	if message == "" {
		message = "this is no TOML"
	}
	if strings.Contains(message, "got ':'") {
		message += "; write KEY = VALUE, this is TOML and no YAML"
	}
	if pe.LastKey != "" {
		message = fmt.Sprintf("%s (the last key before it is %q)", message, pe.LastKey)
	}
	return invalid(at, "%s", message)
}

func warning(code, message string, origins ...string) policy.Warning {
	return policy.Warning{Code: code, Origins: origins, Message: message}
}

func invalid(origin, format string, args ...any) error {
	return &policy.InvalidPolicyError{Origin: origin, Err: fmt.Errorf(format, args...)}
}
