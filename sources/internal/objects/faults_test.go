package objects

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/policy"
)

// What is wrong with the entries of an object is said in one go, and of each what it is.
func TestFaults(t *testing.T) {
	const head = "apiVersion: config.openshift.io/v1\nkind: ImageDigestMirrorSet\nmetadata: {name: d}\nspec:\n  imageDigestMirrors:\n"
	for _, tc := range []struct{ name, entries, want string }{
		{"shapes", "  -\n  - {source: a.io, mirrors: [m.io]}\n  - {source: b.io, mirrors: m.io}\n  - {source: c.io, mirror: [m.io]}\n  - {source: ' d.io'}\n",
			"file:p.yaml:6 imagedigestmirrorset/d#1 true, file:p.yaml:8 imagedigestmirrorset/d true, file:p.yaml:9 imagedigestmirrorset/d#4 false, file:p.yaml:10 imagedigestmirrorset/d#5 true"},
		{"values", "  - {source: '', mirrors: [m.io]}\n  - {source: a.io, mirrors: [m.io]}\n  - {source: b.io, mirrors: [m.io], mirrorSourcePolicy: Never}\n",
			"file:p.yaml:6 imagedigestmirrorset/d#1 true, file:p.yaml:8 imagedigestmirrorset/d#3 true"},
		{"one", "  - {source: a.io, mirrors: ['']}\n", "file:p.yaml:6 imagedigestmirrorset/d#1 true"},
		{"a template", "  - {source: a.io, mirrors: ['${A}/b']}\n  - {source: b.io, mirrors: ['${A}/c']}\n", "file:p.yaml:6 imagedigestmirrorset/d#1 true, file:p.yaml:7 imagedigestmirrorset/d#2 true"},
	} {
		_, err := Decode("file:p.yaml", []byte(head+tc.entries))
		var got []string
		for _, err := range each(err) {
			e, ok := err.(*policy.InvalidPolicyError)
			if !ok {
				t.Fatalf("%s: %v", tc.name, err)
			}
			got = append(got, fmt.Sprint(e.Origin, " ", e.RefusedByAPI))
		}
		if got := strings.Join(got, ", "); got != tc.want {
			t.Errorf("%s: %s\nwant %s", tc.name, got, tc.want)
		}
	}

	_, err := Decode("file:p.yaml", []byte(head+strings.Repeat("  -\n", 1000)))
	if n := len(each(err)); n != maxFaults {
		t.Errorf("%d of 1000 faults are reported, want %d", n, maxFaults)
	}
}
