package auth

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestParseChallenges(t *testing.T) {
	type params = map[string]string
	for _, tt := range []struct {
		header string
		want   []Challenge
	}{
		{``, nil},
		{`Basic`, []Challenge{{"basic", nil}}},
		{`Basic realm="x"`, []Challenge{{"basic", params{"realm": "x"}}}},
		{`Bearer realm="https://a.b/token",service="c d",scope="repository:x/y:pull"`,
			[]Challenge{{"bearer", params{"realm": "https://a.b/token", "service": "c d", "scope": "repository:x/y:pull"}}}},
		{`BEARER Realm = "x" , SERVICE= "y"`, []Challenge{{"bearer", params{"realm": "x", "service": "y"}}}},
		{`Bearer realm=token,error=invalid_token`, []Challenge{{"bearer", params{"realm": "token", "error": "invalid_token"}}}},
		{`Bearer realm=https://a.b/token?x=y,service=c,scope=repository:x/y:pull`,
			[]Challenge{{"bearer", params{"realm": "https://a.b/token?x=y", "service": "c", "scope": "repository:x/y:pull"}}}},
		{`Bearer realm=https://a.b/token service=c, Basic realm=/`, []Challenge{{"bearer", params{"realm": "https://a.b/token", "service": "c"}}, {"basic", params{"realm": "/"}}}},
		{`Bearer realm="a\"b\\c,d=e"`, []Challenge{{"bearer", params{"realm": `a"b\c,d=e`}}}},
		{`Negotiate, Basic realm="x"`, []Challenge{{"negotiate", nil}, {"basic", params{"realm": "x"}}}},
		{`Negotiate YWJj==, Basic realm="x"`, []Challenge{{"negotiate", nil}, {"basic", params{"realm": "x"}}}},
		{`Negotiate YWJj, Bearer realm="x"`, []Challenge{{"negotiate", nil}, {"bearer", params{"realm": "x"}}}},
		{`Basic realm="x", Bearer realm="y",scope="z"`, []Challenge{{"basic", params{"realm": "x"}}, {"bearer", params{"realm": "y", "scope": "z"}}}},
		{`Bearer realm="x",realm="y"`, []Challenge{{"bearer", params{"realm": "x"}}}},
		{`Bearer realm="never closed`, []Challenge{{"bearer", nil}}},
		{`Bearer realm=`, []Challenge{{"bearer", nil}}},
		{`,, ,Basic,,`, []Challenge{{"basic", nil}}},
		{`="x"`, nil},
		{`"Basic"`, nil},
	} {
		got := ParseChallenges(http.Header{"Www-Authenticate": {tt.header}})
		if !slices.EqualFunc(got, tt.want, equal) {
			t.Errorf("%s: got %v, want %v", tt.header, got, tt.want)
		}
	}
	// Several headers are one list.
	got := ParseChallenges(http.Header{"Www-Authenticate": {"Negotiate", `Bearer realm="x`, `Basic realm="y"`}})
	if len(got) != 3 || got[0].Scheme != "negotiate" || got[2].Params["realm"] != "y" {
		t.Errorf("got %v", got)
	}
	if c, ok := choose(got); !ok || c.Scheme != "bearer" {
		t.Errorf("chose %v", c)
	}
}

func equal(a, b Challenge) bool { return a.Scheme == b.Scheme && maps.Equal(a.Params, b.Params) }

// FuzzChallenge: whatever the header, parsing ends, and what comes out written
// as RFC 9110 has it reads back as the same.
func FuzzChallenge(f *testing.F) {
	for _, s := range []string{
		`Bearer realm="https://a.b/token",service="c",scope="repository:x/y:pull,push"`, `Negotiate YWJj==, Basic realm="x"`,
		`Basic`, `a b c=d, e`, `x="\`, `,,,=`, `Bearer realm = "x"`, "Bearer\trealm=\"\x00\"",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ParseChallenges(http.Header{"Www-Authenticate": {s}})
		var lines []string
		for _, c := range got {
			if c.Scheme == "" || c.Scheme != strings.ToLower(c.Scheme) {
				t.Fatalf("scheme %q", c.Scheme)
			}
			var b strings.Builder
			b.WriteString(c.Scheme)
			sep := " "
			for _, k := range slices.Sorted(maps.Keys(c.Params)) {
				b.WriteString(sep + k + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.Params[k]) + `"`)
				sep = ","
			}
			lines = append(lines, b.String())
		}
		second := ParseChallenges(http.Header{"Www-Authenticate": {strings.Join(lines, ", ")}})
		if len(s) < maxHeader/4 && !slices.EqualFunc(second, got, equal) {
			t.Errorf("%q: %v, then %v", s, got, second)
		}
	})
}
