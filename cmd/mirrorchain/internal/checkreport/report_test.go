package checkreport

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/junit"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
)

// What a release or a registry says does nothing to a terminal, in any format, and is
// what it was for who decodes it.
func TestReportsPrintNothingElse(t *testing.T) {
	const name, forged = "etcd\u009b2J\u202e", "Release 4.17.3: all 190 images are available"
	r := &Report{Releases: []Release{{Version: "4.17.3\n" + forged}}, Images: []Image{{Name: name, Image: name, Status: Missing, Error: name}}, Summary: Summary{Images: 1, Missing: 1}}
	for _, format := range []output.Format{output.Text, output.JSON, output.YAML, output.JUnit} {
		var out bytes.Buffer
		if err := output.Write(&out, format, r, func(w io.Writer) { r.Text(w, table.Look{}) }); err != nil {
			t.Fatal(err)
		}
		if out.String() != output.Printable(out.String()) || strings.Contains(out.String(), "\n"+forged) {
			t.Errorf("%s: %q", format.String(), out.String())
		}
		var got string
		switch format {
		case output.JSON:
			var back Report
			if err := json.Unmarshal(out.Bytes(), &back); err != nil {
				t.Fatal(err)
			}
			got = back.Images[0].Name
		case output.JUnit:
			var back junit.Suites
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
