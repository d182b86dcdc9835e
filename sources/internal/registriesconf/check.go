package registriesconf

import (
	"errors"
	"fmt"
	"strings"
)

// Values of pull-from-mirror.
const (
	pullAll    = "all"
	pullDigest = "digest-only"
	pullTag    = "tag-only"
)

// check completes t and refuses what containers/image refuses
// (sysregistriesv2 postProcessRegistries and loadConfigFile).
func (t *table) check() error {
	var err error
	if t.Location, err = location(t.Location); err != nil {
		return err
	}
	if t.Prefix, err = location(t.Prefix); err != nil {
		return err
	}
	wildcard := strings.HasPrefix(t.Prefix, "*.")
	switch {
	case t.Prefix == "" && t.Location == "" && t.misplaced != "":
		return fmt.Errorf("%s belongs to the top of the file, above every table; this [[registry]] has neither location nor prefix", t.misplaced)
	case t.Prefix == "" && t.Location == "":
		return errors.New("the table has neither location nor prefix; set location to the registry it is about")
	case t.Prefix == "":
		t.Prefix = t.Location
		wildcard = strings.HasPrefix(t.Prefix, "*.")
	case t.Location == "" && !wildcard:
		return fmt.Errorf("prefix %q needs a location: only a wildcard prefix (*.example.com) may leave it out", t.Prefix)
	}
	if wildcard && strings.ContainsAny(t.Prefix, "/@:") {
		return fmt.Errorf("the wildcard prefix %q must be a host alone, as in *.example.com", t.Prefix)
	}
	if t.PullFromMirror != "" {
		return fmt.Errorf("pull-from-mirror is set for the registry %q; it belongs into its [[registry.mirror]] tables", t.Prefix)
	}
	for i := range t.Mirrors {
		m := &t.Mirrors[i]
		if m.Location, err = location(m.Location); err != nil {
			return fmt.Errorf("mirror %d of %q: %w", i+1, t.Prefix, err)
		}
		if m.Location == "" {
			return fmt.Errorf("mirror %d of %q has no location", i+1, t.Prefix)
		}
		if m.PullFromMirror != "" && t.MirrorByDigestOnly {
			return fmt.Errorf("mirror %q of %q has pull-from-mirror beside the registry's mirror-by-digest-only; keep one of the two", m.Location, t.Prefix)
		}
		switch m.PullFromMirror {
		case "", pullAll, pullDigest, pullTag:
		default:
			return fmt.Errorf("mirror %q of %q: unknown pull-from-mirror %q; want %s, %s or %s",
				m.Location, t.Prefix, m.PullFromMirror, pullAll, pullDigest, pullTag)
		}
	}
	return nil
}

func location(s string) (string, error) {
	s = strings.TrimRight(s, "/")
	if strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") {
		return "", fmt.Errorf("%q has a scheme; write it without (insecure = true allows plain HTTP)", s)
	}
	return s, nil
}

// agree refuses tables of one file that call the same location both insecure and
// not, or both blocked and not.
func agree(tables []table) error {
	first := map[string]*table{}
	for i := range tables {
		t := &tables[i]
		key := t.Location
		if key == "" {
			key = t.Prefix
		}
		f := first[key]
		if f == nil {
			first[key] = t
			continue
		}
		what := ""
		switch {
		case f.Insecure != t.Insecure:
			what = "insecure"
		case f.Blocked != t.Blocked:
			what = "blocked"
		default:
			continue
		}
		return invalid(t.origin, "%q is %s = %t here and not at %s; a location has one setting", key, what, what == "insecure" && t.Insecure || what == "blocked" && t.Blocked, f.origin)
	}
	return nil
}
