package layer

import (
	"fmt"
	"path"
	"strings"
)

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// clean returns the name of a tar entry as it is used here: slash-separated, without
// a leading "./" or "/", "" for the root. ok is false where it leads out.
func clean(name string) (_ string, ok bool) {
	if name == "" {
		return "", true
	}
	p := path.Clean(strings.TrimLeft(name, "/"))
	switch {
	case p == ".":
		return "", true
	case p == "..", strings.HasPrefix(p, "../"):
		return "", false
	}
	return strings.TrimPrefix(p, "/"), true
}

// A name may have this much. Linux takes no more bytes (PATH_MAX), so nothing that
// was ever unpacked has; and what is done with a name costs its components each
// time, and their number squared where they become names again.
const (
	maxName       = 4096
	maxComponents = 256
)

// checkName returns a [*LimitError] where a name that a tar entry has or links to is
// too long or too deep.
func checkName(entry, has, name string) error {
	switch {
	case len(name) > maxName:
		return &LimitError{fmt.Sprintf("tar entry %q %s of %d bytes: at most %d are followed", short(entry), has, len(name), maxName)}
	case strings.Count(name, "/") >= maxComponents:
		return &LimitError{fmt.Sprintf("tar entry %q %s of %d components: at most %d are followed", short(entry), has, strings.Count(name, "/")+1, maxComponents)}
	}
	return nil
}

// split cuts the first component off p.
func split(p string) (first, rest string) {
	first, rest, _ = strings.Cut(p, "/")
	return first, rest
}
