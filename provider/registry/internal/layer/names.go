package layer

import (
	"path"
	"strings"
)

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// clean is the name of a tar entry as it is used here: slash-separated, without
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

// split cuts the first component off p.
func split(p string) (first, rest string) {
	first, rest, _ = strings.Cut(p, "/")
	return first, rest
}
