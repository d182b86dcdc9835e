package manual

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func page() Page {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.StringP("file", "f", "a.b", "read `PATH`")
	flags.Bool("all", false, "read all")
	flags.Bool("secret", false, "no help")
	if err := flags.MarkHidden("secret"); err != nil {
		panic(err)
	}
	return Page{
		Name: "tool do it", Short: "Do it", Usage: "tool do it [flags]", Example: "  tool do it a\\b",
		Long:  "Reads *.yaml and _x_.\n.dot begins a line.\n'quote too.\n\nList:\n  one\n\n  two",
		Flags: []Flags{{"Flags", flags}},
		Lists: []List{{"See also", []Page{{Name: "tool", Short: "All"}, {Name: "tool files", Topic: true, Short: "Files"}}}},
	}
}

func TestMan(t *testing.T) {
	got := page().Man()
	for _, want := range []string{
		".TH TOOL\\-DO\\-IT 1 ", "\n\\&.dot begins", "\n\\&'quote", ".nf\nList:\n  one\n\n  two\n.fi\n", `a\eb`,
		"\\fB\\-f\\fR, \\fB\\-\\-file\\fR \\fIPATH\\fR\nread PATH (default a.b)\n", "\\fB\\-\\-all\\fR\nread all\n", ".BR tool\\-files (7)\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "secret") {
		t.Error("a hidden flag is shown")
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Log("groff is not there: what it says about the page is not seen")
		return
	}
	cmd := exec.Command(groff, "-man", "-ww", "-z")
	cmd.Stdin = strings.NewReader(got)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v\n%s", err, out)
	}
}

func TestMarkdown(t *testing.T) {
	got := page().Markdown()
	for _, want := range []string{
		"# tool do it\n\nDo it.\n", `Reads \*.yaml and \_x\_.`, "```text\nList:\n  one\n\n  two\n```\n", "\n## Examples\n\n```text\n  tool do it a\\b\n```\n",
		"  -f, --file PATH          read PATH (default \"a.b\")\n", "- [tool files](tool-files.md): Files\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
