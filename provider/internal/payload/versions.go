package payload

import (
	"regexp"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider"
)

// versionsAnnotation lists versions of what is in a component's image:
// "kubernetes=1.30.5,machine-os=417.94.202410160352-0".
const versionsAnnotation = "io.openshift.build.versions"

// What oc accepts as a name and, by semver.org, as a version. Build metadata is
// the part that is dropped.
var (
	versionName = regexp.MustCompile(`^[a-z0-9][-a-z0-9]*[a-z0-9]$`)
	version     = regexp.MustCompile(`^((?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)` +
		`(?:-(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?)` +
		`(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$`)
)

// componentVersions merges what components say, as `oc adm release info` does
// (readComponentVersions): build metadata is dropped, an annotation with
// anything malformed in it says nothing and leaves the others alone, and of
// several versions of one thing the first in the order of strings is taken. Of
// kubectl only the images that are made to hand it out count: others have a copy.
//
// Display names (io.openshift.build.version-display-names) are for people and
// stay where they are, in the components' annotations.
func componentVersions(components []provider.Component) map[string]string {
	merged := make(map[string]string)
	for _, c := range components {
		stated, ok := parseVersions(c.Annotations[versionsAnnotation])
		if !ok {
			continue
		}
		for name, v := range stated {
			if name == "kubectl" && c.Name != "cli" && c.Name != "cli-artifacts" {
				continue
			}
			if old, ok := merged[name]; !ok || v < old {
				merged[name] = v
			}
		}
	}
	if len(merged) == 0 {
		return nil
	}
	return merged
}

func parseVersions(annotation string) (map[string]string, bool) {
	annotation = strings.TrimSpace(annotation)
	if annotation == "" {
		return nil, false
	}
	out := make(map[string]string)
	for pair := range strings.SplitSeq(annotation, ",") {
		name, v, ok := strings.Cut(strings.TrimSpace(pair), "=")
		m := version.FindStringSubmatch(v)
		if !ok || !versionName.MatchString(name) || m == nil {
			return nil, false
		}
		out[name] = m[1]
	}
	return out, true
}
