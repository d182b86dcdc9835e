package payload

import (
	"errors"
	"strings"
)

// majorVersion returns the major version that an os-release file states (os-release(5)).
func majorVersion(osRelease string) (string, error) {
	for line := range strings.Lines(osRelease) {
		v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_ID=")
		if !ok {
			continue
		}
		major, _, _ := strings.Cut(strings.Trim(v, `"'`), ".")
		if major != "" {
			return major, nil
		}
	}
	return "", errors.New("usr/lib/os-release states no VERSION_ID")
}
