package hypershift

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
)

// Minor is the minor version of a release: 4.17 of 4.17.3. The zero value is none.
type Minor struct{ Major, Minor int }

var minorVersion = regexp.MustCompile(`^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(?:\.\d+)?(?:[-+][0-9A-Za-z.+-]+)?$`)

// ParseMinor reads the minor version of a version: that of "4.17.3", of "4.17.0-rc.1", and
// "4.17" itself.
func ParseMinor(version string) (Minor, error) {
	m := minorVersion.FindStringSubmatch(version)
	if m == nil {
		return Minor{}, fmt.Errorf("%.100q is no version; want one such as 4.17 or 4.17.3", version)
	}
	major, _ := strconv.Atoi(m[1]) // at most nine digits
	minor, _ := strconv.Atoi(m[2])
	return Minor{major, minor}, nil
}

// String returns "MAJOR.MINOR".
func (m Minor) String() string { return fmt.Sprintf("%d.%d", m.Major, m.Minor) }

// IsZero reports whether m is none.
func (m Minor) IsZero() bool { return m == Minor{} }

// Compare returns a negative number where m is before o, 0 where both are the same, and
// else a positive one.
func (m Minor) Compare(o Minor) int {
	return cmp.Or(cmp.Compare(m.Major, o.Major), cmp.Compare(m.Minor, o.Minor))
}
