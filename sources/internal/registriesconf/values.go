package registriesconf

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

func text(key string, to *string) field {
	return func(v any) error {
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("%s must be a string, not %s", key, describe(v))
		}
		*to = s
		return nil
	}
}

func flag(key string, to *bool) field {
	return func(v any) error {
		b, ok := v.(bool)
		if !ok {
			hint := ""
			if s, ok := v.(string); ok && (s == "true" || s == "false") {
				hint = "; remove the quotes"
			}
			return fmt.Errorf("%s must be true or false, not %s%s", key, describe(v), hint)
		}
		*to = b
		return nil
	}
}

// texts reads a list of strings; an empty one is not nil.
func texts(key string, to *[]string) field {
	return func(v any) error {
		items, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s must be a list of strings, not %s", key, describe(v))
		}
		*to = []string{}
		for _, item := range items {
			s, ok := item.(string)
			if !ok {
				return fmt.Errorf("%s must be a list of strings, and one of them is %s", key, describe(item))
			}
			*to = append(*to, s)
		}
		return nil
	}
}

// tablesOf reads an array of tables. An empty list is one without any.
func tablesOf(v any) ([]map[string]any, bool) {
	switch v := v.(type) {
	case []map[string]any:
		return v, true
	case []any:
		var out []map[string]any
		for _, item := range v {
			m, ok := item.(map[string]any)
			if !ok {
				return nil, false
			}
			out = append(out, m)
		}
		return out, true
	}
	return nil, false
}

func describe(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case map[string]any:
		return "a single table"
	case []map[string]any:
		return "a list of tables"
	case []any:
		return "a list"
	}
	return "a date"
}

// checkSearch refuses what nodes refuse in unqualified-search-registries: entries that
// are not HOST[:PORT] (sysregistriesv2 postProcessRegistries).
func checkSearch(registries []string) error {
	for _, entry := range registries {
		host, err := location(entry)
		if err != nil {
			return fmt.Errorf("%s: %w", unqualifiedSearch, err)
		}
		if !isHost(host) {
			return fmt.Errorf("%s has the entry %q; want HOST or HOST:PORT alone", unqualifiedSearch, entry)
		}
	}
	return nil
}

// isHost reports whether s is the domain of a reference, as the regular expression
// DomainRegexp of distribution/reference has it.
func isHost(s string) bool {
	ref, err := imageref.Parse(s + "/a")
	if err == nil && ref.Registry() == s {
		return true
	}
	// A host without a dot is read as part of a name there, and is a domain all the same.
	name, port, hasPort := strings.Cut(s, ":")
	label := name != "" && !strings.HasPrefix(name, "-") && !strings.HasSuffix(name, "-")
	for _, c := range []byte(name) {
		label = label && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-')
	}
	return label && (!hasPort || port != "" && strings.Trim(port, "0123456789") == "") || s == "docker.io" || s == "index.docker.io"
}

// aliases reads [aliases] and refuses what nodes refuse (sysregistriesv2
// newShortNameAliasCache): a short name with a registry, a tag or a digest, and a value
// that is not REGISTRY/REPOSITORY. An empty value removes an alias.
func aliases(v any) error {
	raw, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("aliases must be a table, not %s", describe(v))
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		var value string
		if err := text(fmt.Sprintf("the alias %q", name), &value)(raw[name]); err != nil {
			return err
		}
		if err := checkShortName(name); err != nil {
			return fmt.Errorf("the alias %q: %w", name, err)
		}
		if value == "" {
			continue
		}
		if err := checkAlias(value); err != nil {
			return fmt.Errorf("the alias %q = %q: %w", name, value, err)
		}
	}
	return nil
}

func checkShortName(name string) error {
	first, _, hasPath := strings.Cut(name, "/")
	if hasPath && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return errors.New("a short name has no registry")
	}
	return checkRepository("docker.io/" + name)
}

func checkAlias(value string) error {
	first, _, hasPath := strings.Cut(value, "/")
	if !hasPath || !strings.ContainsAny(first, ".:") && first != "localhost" {
		return errors.New("want REGISTRY/REPOSITORY")
	}
	return checkRepository(value)
}

func checkRepository(name string) error {
	ref, err := imageref.Parse(name)
	switch {
	case err != nil:
		return errors.New("this is no name of a repository")
	case ref.Digest() != "":
		return errors.New("a digest has no place here")
	case ref.Tag() != "":
		return errors.New("a tag has no place here")
	}
	return nil
}
