package diffreport

import "testing"

// What releases and users say is no markup, and no line of its own.
func TestForeignTextIsNoMarkup(t *testing.T) {
	for in, want := range map[string]string{
		"4.17.3":                   "4.17.3",
		"a|b\n# c":                 `a\|b\\n\# c`,
		"[x](javascript:alert(1))": `\[x\]\(javascript:alert\(1\)\)`,
		"<img src=x>":              `\<img src=x\>`,
		"sha256:0`<b>":             "`sha256:0'<b>`",
		"https://github.com/a/b/compare/1111111111111...2222222222222": "[111111111111...222222222222](https://github.com/a/b/compare/1111111111111...2222222222222)",
	} {
		if got := cell(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}
