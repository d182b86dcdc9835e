package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// What a release or a registry says does nothing to a terminal, in any format, and is
// what it was for who decodes it.
func TestReportsPrintNothingElse(t *testing.T) {
	const name = "etcd\u009b2J\u202e"
	r := &checkReport{Version: "4.17.3", Images: []checkedImage{{Name: name, Status: statusMissing, Error: name}}, Summary: checkSummary{Images: 1, Missing: 1}}
	for _, format := range []outputFormat{formatText, formatJSON, formatJUnit} {
		var out bytes.Buffer
		a := &app{sys: System{Stdout: &out}}
		a.opts.output = format
		if err := a.print(r, func(w io.Writer) { checkText(w, r) }); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(out.String(), unprintable) {
			t.Errorf("%s: %q", format.String(), out.String())
		}
		var got string
		switch format {
		case formatJSON:
			var back checkReport
			if err := json.Unmarshal(out.Bytes(), &back); err != nil {
				t.Fatal(err)
			}
			got = back.Images[0].Name
		case formatJUnit:
			var back junitSuites
			if err := xml.Unmarshal(out.Bytes(), &back); err != nil {
				t.Fatal(err)
			}
			got = back.Suite.Cases[0].Name
		default:
			continue
		}
		if got != name {
			t.Errorf("%s: %q, want %q", format.String(), got, name)
		}
	}
}
