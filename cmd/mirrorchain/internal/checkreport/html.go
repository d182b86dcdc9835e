package checkreport

import (
	"bytes"
	_ "embed"
	"html/template"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
)

//go:embed report.html
var page string

// html returns one page that needs nothing else: no script, no request. What a release, a
// registry or a policy says is escaped by the template, and shown without what changes the
// direction of text.
func (r *Report) html() ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{
		"text": output.OneLine, "breakable": breakable, "plural": words.Plural,
	}).Parse(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, r.view())
	return b.Bytes(), err
}

// breakable lets a browser break an image reference at its separators, where a narrow page
// needs that.
func breakable(s string) template.HTML {
	s = template.HTMLEscapeString(output.OneLine(s))
	return template.HTML(strings.NewReplacer("/", "/<wbr>", "@", "<wbr>@", ":", ":<wbr>").Replace(s))
}

// view is what the page shows.
type view struct {
	*Report
	Title   string
	Columns []string
	Asked   []string // those of Columns that were asked for something in Gaps
	Gaps    []row    // images that are not everywhere
	Groups  []viewGroup
	List    string // what to mirror
	Good    bool
}

type row struct {
	Name, Image string
	Cells       []string // the status at each of Asked; "" where it is none of the image
}

// viewGroup is a list of images that failed alike.
type viewGroup struct {
	Title string
	Cause []string
	Names []Image
}

// Titles returns the names of an image.
func (c Image) Titles() string { return c.names() }

func (r *Report) view() view {
	v := view{Report: r, Title: r.Headline(), List: string(r.mirrorList())}
	v.Good = r.Summary.Found == r.Summary.Images && r.Summary.Partial == 0
	for _, m := range r.Mirrors {
		v.Columns = append(v.Columns, m.label())
	}
	for _, s := range []struct{ status, title string }{{Missing, "Missing"}, {Failed, "Could not be asked for"}} {
		var images []Image
		for _, c := range r.Images {
			if c.Status == s.status {
				images = append(images, c)
			}
		}
		for _, group := range r.grouped(images) {
			v.Groups = append(v.Groups, viewGroup{s.title, r.causeOf(&group[0]), group})
		}
	}
	for _, c := range r.Images {
		if c.Status == Found && !(r.allMirrors && c.partial) {
			continue
		}
		line := row{Name: c.names(), Image: c.Image, Cells: make([]string, len(r.Mirrors))}
		for _, cell := range c.Mirrors {
			line.Cells[cell.column] = cell.Status
		}
		v.Gaps = append(v.Gaps, line)
	}
	v.leaveOut()
	return v
}

// leaveOut removes the columns of the matrix that nobody was asked in.
func (v *view) leaveOut() {
	for i := len(v.Columns) - 1; i >= 0; i-- {
		asked := slices.ContainsFunc(v.Gaps, func(r row) bool { return r.Cells[i] != "" && r.Cells[i] != NotAsked })
		if asked {
			v.Asked = append([]string{v.Columns[i]}, v.Asked...)
			continue
		}
		for j := range v.Gaps {
			v.Gaps[j].Cells = slices.Delete(v.Gaps[j].Cells, i, i+1)
		}
	}
}

// grouped puts together what failed alike. On disk every image has faults of its own.
func (r *Report) grouped(images []Image) [][]Image {
	if r.From != "" {
		return output.Grouped(images, func(c *Image) string { return c.Error })
	}
	return alike(images)
}

func (r *Report) causeOf(c *Image) []string {
	if r.From != "" {
		return []string{c.Error}
	}
	return c.cause()
}
