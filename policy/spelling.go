package policy

import "strings"

// spelling returns how a source of the rules writes the host of an image, where it
// would match the image if the image were named so, and no source matches as much of
// it as it is named; "" for none. source is what matches the image. Hosts are compared as
// [Rules.Forbids] does.
func (r *Rules) spelling(name, host, source string) string {
	dialled := hostOf(host)
	for _, t := range r.index.tables {
		other, _, _ := strings.Cut(t.prefix, "/")
		if other == host || isWildcard(other) || hostOf(other) != dialled {
			continue
		}
		c := r.index.lookupNth(other+name[len(host):], len(other), 0)
		if c == nil || c.prefix == source || !strings.HasPrefix(c.prefix, other) {
			continue
		}
		if own, ok := strings.CutPrefix(source, host); !ok || len(own) < len(c.prefix)-len(other) {
			return other
		}
	}
	return ""
}
