package payload

import (
	"fmt"
	"regexp"
	"strconv"
)

// release is what of a release's version decides how its programs are called.
type release struct {
	text         string
	major, minor int
}

var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?$`)

// parseVersion reads a semantic version. A pre-release counts as its release.
func parseVersion(s string) (release, error) {
	m := semver.FindStringSubmatch(s)
	if m == nil {
		return release{}, fmt.Errorf("the release states version %q, which is no semantic version", s)
	}
	r := release{text: s}
	var err error
	if r.major, err = strconv.Atoi(m[1]); err == nil {
		r.minor, err = strconv.Atoi(m[2])
	}
	if err != nil {
		return release{}, fmt.Errorf("the release states version %q: %w", s, err)
	}
	return r, nil
}

// atLeast reports whether r is of 4.minor or later; 5.0 is later than any 4.
func (r release) atLeast(minor int) bool {
	return r.major > 4 || r.major == 4 && r.minor >= minor
}
