package jsonlimit_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/internal/jsonlimit"
)

func TestValues(t *testing.T) {
	for doc, n := range map[string]int{
		`0`:                     1,
		`[0,0]`:                 3,
		`{"a":1,"b":[{"c":2}]}`: 5,
		`"a,[{"`:                1,
		`["a\",[{","b\\",3]`:    4,
		`[[[`:                   4,
	} {
		if err := jsonlimit.Values([]byte(doc), n); err != nil {
			t.Errorf("%s at %d: %v", doc, n, err)
		}
		err := jsonlimit.Values([]byte(doc), n-1)
		if _, ok := errors.AsType[*jsonlimit.Error](err); !ok {
			t.Errorf("%s at %d: %v", doc, n-1, err)
		}
	}
}

// No document has more values than are counted.
func FuzzValues(f *testing.F) {
	f.Add([]byte(`{"a":[1,"\\\",",{}],"b":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		if json.Unmarshal(b, &v) != nil {
			return
		}
		if n := count(v); n > 1 && jsonlimit.Values(b, n-1) == nil {
			t.Errorf("%d values in %q were not seen", n, b)
		}
	})
}

func count(v any) int {
	n := 1
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += count(e)
		}
	case map[string]any:
		for _, e := range v {
			n += count(e)
		}
	}
	return n
}

type item struct{ N int }

func TestObjects(t *testing.T) {
	for doc, want := range map[string]string{
		`null`:                             "",
		`[]`:                               "",
		` [ {"n":1} , {} ] `:               "",
		`{}`:                               "want a list",
		`7`:                                "want a list",
		`[{},0,0]`:                         "entry 1 is not an object",
		`[null]`:                           "entry 0 is not an object",
		`[{},{"n":"x"}]`:                   "entry 1: json",
		`[{},{},{}]`:                       "more than 2 entries",
		`[{},`:                             "EOF",
		`[` + strings.Repeat("0", 9) + `]`: "not an object",
	} {
		list, err := jsonlimit.Objects[item]([]byte(doc), 2)
		switch {
		case want == "" && err != nil, want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v; want %q", doc, err, want)
		case want == "" && (list == nil) != (doc == "null"):
			t.Errorf("%s: %#v", doc, list)
		}
	}
}
