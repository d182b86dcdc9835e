package registriesconf

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/internal/editdistance"
	"github.com/mirrorchain/mirrorchain/policy"
)

// table is a [[registry]] table.
type table struct {
	Prefix             string
	Location           string
	Insecure           bool
	Blocked            bool
	MirrorByDigestOnly bool
	PullFromMirror     string // of mirrors only; read to refuse it
	NamespaceProxy     string
	Mirrors            []mirror

	misplaced string // a key in it that belongs to the top of the file
	origin    string
}

// mirror is a [[registry.mirror]] table.
type mirror struct {
	Location       string
	Insecure       bool
	PullFromMirror string
	NamespaceProxy string
}

// reader turns decoded TOML into tables. It knows the types that nodes want
// (sysregistriesv2's V2RegistriesConf), and says in the words of the file where they
// differ.
type reader struct {
	where, text string
	search      []string
	warnings    []policy.Warning
}

// field reads the value of a key.
type field func(v any) error

// keys of the top of a file that are not about where images are pulled from.
const (
	unqualifiedSearch = "unqualified-search-registries"
	shortNameMode     = "short-name-mode"
)

func (r *reader) document(raw map[string]any) ([]table, error) {
	var tables []table
	var mode string
	err := r.fields(r.where, "", raw, map[string]field{
		"registry":                           func(v any) (err error) { tables, err = r.registries(v); return err },
		"registries":                         r.version1,
		unqualifiedSearch:                    texts(unqualifiedSearch, &r.search),
		"credential-helpers":                 texts("credential-helpers", new([]string)),
		shortNameMode:                        text(shortNameMode, &mode),
		"additional-layer-store-auth-helper": text("additional-layer-store-auth-helper", new(string)),
		"aliases":                            r.aliases,
	}, nil)
	if err == nil {
		err = checkSearch(r.search)
	}
	if err == nil && !slices.Contains([]string{"", "disabled", "permissive", "enforcing"}, mode) {
		err = fmt.Errorf("%s is %q; want enforcing, permissive or disabled", shortNameMode, mode)
	}
	return tables, r.at(r.where, err)
}

// at makes err an error of the policy at origin, unless it is one already.
func (r *reader) at(origin string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*policy.InvalidPolicyError); ok {
		return err
	}
	return &policy.InvalidPolicyError{Origin: origin, Err: err}
}

// fields reads the keys of a table, whose path in the file is below. Others are ignored,
// as nodes ignore them, and named. Keys are the same in any case, as for nodes.
func (r *reader) fields(origin, below string, raw map[string]any, known map[string]field, misplaced *string) error {
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		read, ok := known[key]
		if !ok {
			for name, f := range known {
				if strings.EqualFold(name, key) {
					read, ok = f, true
				}
			}
		}
		if ok {
			if err := read(raw[key]); err != nil {
				return err
			}
			continue
		}
		if misplaced != nil && (key == unqualifiedSearch || key == shortNameMode) {
			*misplaced = key
		}
		r.ignored(origin, below, key, known)
	}
	return nil
}

// ignored warns of a key that nodes ignore.
func (r *reader) ignored(origin, below, key string, known map[string]field) {
	name, hint := key, ""
	if below != "" {
		name = below + "." + key
	}
	switch {
	case below != "" && (key == unqualifiedSearch || key == shortNameMode):
		hint = "; it belongs to the top of the file, before the first table"
	case strings.EqualFold(key, "mirrors"), name == "registries.mirror", below == "" && key == "mirror":
		hint = "; mirrors are [[registry.mirror]] tables below their [[registry]]"
	default:
		for _, meant := range slices.Sorted(maps.Keys(known)) {
			if editdistance.Levenshtein(strings.ToLower(key), meant) <= 2 {
				hint = fmt.Sprintf("; did you mean %q?", meant)
			}
		}
	}
	r.warnings = append(r.warnings, warning(policy.WarnIgnoredKey, fmt.Sprintf("%s: the key %q is not known and is ignored, as nodes ignore it%s", origin, name, hint), origin))
}

// version1 reads "registries", which version 1 has: nodes refuse a file that sets one of
// its lists and ignore the rest.
func (r *reader) version1(v any) error {
	raw, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("registries%s is %s, and nodes do not load the file; did you mean [[registry]]?", r.lineOf("[[registries"), describe(v))
	}
	return r.fields(r.where, "registries", raw, map[string]field{
		"search": r.section1("search", unqualifiedSearch+" means the same now"), "insecure": r.section1("insecure", "state each as a [[registry]] table with insecure = true"),
		"block": r.section1("block", "state each as a [[registry]] table with blocked = true"),
	}, nil)
}

func (r *reader) section1(name, now string) field {
	return func(v any) error {
		raw, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("registries.%s must be a table, not %s", name, describe(v))
		}
		var list []string
		if err := texts("registries."+name+".registries", &list)(raw["registries"]); raw["registries"] != nil && err != nil {
			return err
		}
		if list != nil {
			return fmt.Errorf("this is version 1 of registries.conf, which nothing reads any more: [registries.%s]%s; %s", name, r.lineOf("[registries."+name), now)
		}
		delete(raw, "registries")
		return r.fields(r.where, "registries."+name, raw, nil, nil)
	}
}

func (r *reader) registries(v any) ([]table, error) {
	raws, ok := tablesOf(v)
	if !ok {
		if line := r.lineOf("[[registry.mirror]]"); line != "" && r.lineOf("[registry]") == "" {
			return nil, fmt.Errorf("[[registry.mirror]]%s stands before any [[registry]]; put it below the [[registry]] that it mirrors", line)
		}
		if line := r.lineOf("[registry]"); line != "" {
			return nil, fmt.Errorf("[registry]%s is a single table; write [[registry]]", line)
		}
		return nil, fmt.Errorf("registry%s must be [[registry]] tables, not %s", r.lineOf("registry"), describe(v))
	}
	lines := headers(r.text, len(raws))
	tables := make([]table, len(raws))
	for i, raw := range raws {
		t := &tables[i]
		t.origin = origin(r.where, lines, i)
		if err := r.registry(t, raw); err != nil {
			return nil, r.at(t.origin, err)
		}
		if err := t.check(); err != nil {
			return nil, r.at(t.origin, err)
		}
		r.warnProxy(t)
	}
	return tables, nil
}

func (r *reader) registry(t *table, raw map[string]any) error {
	return r.fields(t.origin, "registry", raw, map[string]field{
		"prefix":                text("prefix", &t.Prefix),
		"location":              text("location", &t.Location),
		"insecure":              flag("insecure", &t.Insecure),
		"blocked":               flag("blocked", &t.Blocked),
		"mirror-by-digest-only": flag("mirror-by-digest-only", &t.MirrorByDigestOnly),
		"pull-from-mirror":      text("pull-from-mirror", &t.PullFromMirror),
		"namespace-proxy":       text("namespace-proxy", &t.NamespaceProxy),
		"mirror": func(v any) error {
			raws, ok := tablesOf(v)
			if line := r.lineOf("[registry.mirror]"); !ok && line != "" {
				return fmt.Errorf("[registry.mirror]%s is a single table; write [[registry.mirror]]", line)
			}
			if !ok {
				return fmt.Errorf("mirror must be [[registry.mirror]] tables with a location, not %s", describe(v))
			}
			t.Mirrors = make([]mirror, len(raws))
			for i, raw := range raws {
				m := &t.Mirrors[i]
				if err := r.fields(t.origin, "registry.mirror", raw, map[string]field{
					"location":         text("location", &m.Location),
					"insecure":         flag("insecure", &m.Insecure),
					"pull-from-mirror": text("pull-from-mirror", &m.PullFromMirror),
					"namespace-proxy":  text("namespace-proxy", &m.NamespaceProxy),
				}, nil); err != nil {
					return fmt.Errorf("mirror %d: %w", i+1, err)
				}
			}
			return nil
		},
	}, &t.misplaced)
}

// warnProxy names a setting that containers/image has had since v5.42 and that
// changes what a mirror is asked.
func (r *reader) warnProxy(t *table) {
	set := t.NamespaceProxy != ""
	for _, m := range t.Mirrors {
		set = set || m.NamespaceProxy != ""
	}
	if set {
		r.warnings = append(r.warnings, warning(policy.WarnNotEnforced, t.origin+": namespace-proxy is ignored: requests carry no \"ns\" parameter", t.origin))
	}
}

// lineOf returns " on line N" for the first line that begins with head, "" if there is none.
// The TOML decoder does not tell where values are.
func (r *reader) lineOf(head string) string {
	n := 0
	for line := range strings.Lines(r.text) {
		n++
		if line = strings.Join(strings.Fields(line), ""); strings.HasPrefix(line, head) {
			return fmt.Sprintf(" on line %d", n)
		}
	}
	return ""
}

func origin(where string, lines []int, i int) string {
	if lines != nil {
		where = fmt.Sprintf("%s:%d", where, lines[i])
	}
	return fmt.Sprintf("%s [[registry]]#%d", where, i+1)
}

// headers returns the lines of the [[registry]] headers. The TOML decoder does not
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
