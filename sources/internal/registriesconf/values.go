package registriesconf

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
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
		if !domain.MatchString(host) {
			return fmt.Errorf("%s has the entry %q; want HOST or HOST:PORT alone", unqualifiedSearch, entry)
		}
	}
	return nil
}

// domain is DomainRegexp of containers/image's docker/reference, anchored: IPv6 addresses
// are none there.
var domain = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*(:[0-9]+)?$`)

// aliases reads [aliases] and refuses what nodes refuse (sysregistriesv2
// newShortNameAliasCache): a short name with a registry, a tag or a digest, and a value
// that is not REGISTRY/REPOSITORY. An empty value removes an alias.
// What is no table is ignored, as their decoder ignores it.
func (r *reader) aliases(v any) error {
	raw, ok := v.(map[string]any)
	if !ok {
		r.warnings = append(r.warnings, warning(policy.WarnIgnoredKey, fmt.Sprintf("%s: aliases must be an [aliases] table, not %s, and is ignored, as nodes ignore it", r.where, describe(v)), r.where))
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
