package checkreport

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
)

// Format returns the report in one of its own formats.
func (r *Report) Format(f output.Format) ([]byte, error) {
	switch f {
	case output.HTML:
		return r.html()
	case output.MirrorList:
		return r.mirrorList(), nil
	case output.ImageSet:
		return r.imageSet(), nil
	}
	return nil, fmt.Errorf("a check has no format %q", f)
}

// mirrorList returns a line SOURCE=TARGET for each image and each mirror that lacks it, as
// 'oc image mirror -f' reads it.
func (r *Report) mirrorList() []byte {
	var b strings.Builder
	named := make(map[string]bool)
	for _, c := range r.Images {
		for _, to := range c.targets {
			if !named[to] { // oc refuses a target that is named twice
				b.WriteString(c.Image + "=" + to + "\n")
			}
			named[to] = true
		}
	}
	return []byte(b.String())
}

// imageSet returns the same images for oc-mirror v2, which finds the targets by itself. No
// image reference has a character that YAML would read otherwise.
func (r *Report) imageSet() []byte {
	var names []string
	for _, c := range r.Images {
		if len(c.targets) > 0 || r.From != "" && c.Status == Missing {
			names = append(names, "  - name: "+c.Image+"\n")
		}
	}
	slices.Sort(names)
	text := "apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  additionalImages:"
	if len(names) == 0 {
		return []byte(text + " []\n")
	}
	return []byte(text + "\n" + strings.Join(names, ""))
}
