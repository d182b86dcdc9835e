package registriesconf

import (
	"runtime"
	"strings"
	"testing"
)

// A small file does not take much memory, however its values are nested.
func TestDepth(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		ok   bool
	}{
		"nested tables":         {"a=" + strings.Repeat("{a=", 4000) + "1" + strings.Repeat("}", 4000), false},
		"nested arrays":         {"a=" + strings.Repeat("[", 16000) + strings.Repeat("]", 16000), false},
		"behind a string":       {"s = \"\"\"\\\"\"\"\"\"\na=" + strings.Repeat("{a=", 4000) + "1" + strings.Repeat("}", 4000), false},
		"behind a comment":      {"# \"\na=" + strings.Repeat("[", 4000) + strings.Repeat("]", 4000), false},
		"key with parts":        {strings.Repeat("a.", 16000) + "a=1", false},
		"quoted parts":          {strings.Repeat(`"a".`, 8000) + "a=1", false},
		"header with parts":     {"[" + strings.Repeat("a.", 16000) + "a]\nb=1", false},
		"tables in a list":      {"a=[" + strings.Repeat("{a=1},", 6000) + "]", true},
		"brackets in text":      {"a='" + strings.Repeat("[", 4000) + "'", true},
		"dots in text":          {`a="` + strings.Repeat("a.", 4000) + `"`, true},
		"brackets in a comment": {"# " + strings.Repeat("[{a.", 4000) + "\na=1", true},
		"long text":             {"a='''\n" + strings.Repeat("[\n", 4000) + "''''\nb=1", true},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Decode("file:x.conf", []byte(tt.text))
			runtime.ReadMemStats(&after)
			if (err == nil) != tt.ok || !tt.ok && !strings.Contains(err.Error(), "nested more than 16 deep") {
				t.Errorf("got %v", err)
			}
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(400*len(tt.text)+1<<20); got > most {
				t.Errorf("%d bytes of text took %d bytes of memory, want at most %d", len(tt.text), got, most)
			}
		})
	}
}
