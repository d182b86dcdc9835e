// Package endpoints shows at a glance where an image is pulled from and what each place
// said: the table that resolve, explain and release info write on a terminal.
package endpoints

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Head writes the image that the table below is about, and what its name means if that
// differs. The digest stands here and nowhere in the table.
func Head(w io.Writer, l table.Look, image string, ref imageref.Ref) {
	l.Line(w, table.Plain(name(l, ref)))
	if n := ref.Normalize().String(); n != image && ref.Digest() == "" {
		l.Line(w, table.Plain("given as "+image))
	}
}

// name returns an image with a short digest.
func name(l table.Look, ref imageref.Ref) string {
	ref = ref.Normalize()
	if d := ref.Digest(); d != "" {
		return ref.Name() + "  " + l.Digest(d)
	}
	return ref.String()
}

// Table collects endpoints in the order in which they are asked.
type Table struct {
	look table.Look
	t    table.Table
	n    int
}

// Planned returns a table of endpoints that nobody has asked, and of what names them.
func Planned(l table.Look) *Table {
	return &Table{look: l, t: table.Table{Columns: []table.Column{
		{Title: "#", Cut: table.Never}, {Title: "ENDPOINT", Cut: table.Address}, {Title: "KIND", Cut: table.Never}, {Title: "FROM"},
	}}}
}

// Asked returns a table of endpoints and what came of asking them.
func Asked(l table.Look) *Table {
	return &Table{look: l, t: table.Table{Columns: []table.Column{
		{Title: "#", Cut: table.Never}, {Title: "ENDPOINT", Cut: table.Address}, {Title: "RESULT", Cut: table.Never}, {Title: "TIME", Right: true}, {Title: "WHY"},
	}}}
}

// number returns the place of the next endpoint that is asked.
func (t *Table) number() table.Cell {
	t.n++
	return table.Plain(fmt.Sprint(t.n))
}

// Candidate adds a row of a [Planned] table.
func (t *Table) Candidate(ref imageref.Ref, mirror, insecure bool, from string) {
	kind := output.Kind(mirror)
	if insecure {
		kind += ", insecure"
	}
	t.t.Add(t.number(), table.Plain(ref.Name()), table.Plain(kind), table.Plain(from))
}

// Answered adds a row for an endpoint that has the image, and a remark on it.
func (t *Table) Answered(ref imageref.Ref, took time.Duration, remark string) {
	t.t.Add(t.number(), table.Plain(ref.Name()), table.Cell{Text: "found", State: table.Good}, table.Plain(Took(took)), table.Plain(remark))
}

// Failed adds a row for an endpoint that failed, and times how often it was asked.
func (t *Table) Failed(at provider.Attempt, times int) {
	if failure.Blocked(at) {
		t.Blocked(at.Ref, Why(at))
		return
	}
	result := failure.Class(provider.ClassOf(at.Err))
	if result == "" {
		result = "failed"
	}
	number := t.number()
	why := Why(at)
	if times > 1 {
		t.n += times - 1
		why = fmt.Sprintf("%s (%d times)", why, times)
	}
	t.t.Add(number, table.Plain(at.Ref.Name()), table.Cell{Text: result, State: table.Bad}, table.Plain(Took(at.Took)), table.Plain(why))
}

// Attempts adds a row for each of attempts. Retries that failed alike are one.
func (t *Table) Attempts(attempts []provider.Attempt) {
	for i := 0; i < len(attempts); {
		at := attempts[i]
		if at.Err == nil {
			t.Answered(at.Ref, at.Took, "")
			i++
			continue
		}
		same := failure.Same(attempts[i:])
		t.Failed(at, same)
		i += same
	}
}

// Refused adds a row for an endpoint that policy blocks.
func (t *Table) Refused(r policy.Refusal) {
	why := failure.Scope(r)
	if r.By == r.Ref.Name() && r.Origin != "" {
		why = r.Origin
	}
	t.Blocked(r.Ref, why)
}

// Blocked adds a row for an endpoint that is not asked, and why.
func (t *Table) Blocked(ref imageref.Ref, why string) {
	cells := []table.Cell{table.Plain("-"), table.Plain(ref.Name()), {Text: "blocked", State: table.NotAsked}, table.Plain(""), table.Plain(why)}
	if len(t.t.Columns) == 4 {
		cells = append(cells[:3], cells[4])
	}
	t.t.Add(cells...)
}

// Write writes the table, nothing if it has no rows.
func (t *Table) Write(w io.Writer) {
	if t.t.Len() > 0 {
		t.t.Write(w, t.look)
	}
}

// Took returns d for a column of times.
func Took(d time.Duration) string {
	switch d = words.Duration(d); {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return "<1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}

// Why returns the cause of a failed attempt in a few words: where there is little room,
// how it came to that is left out. -v and -o json have all of it.
func Why(at provider.Attempt) string {
	err, status := at.Err, failure.Status(at.Err)
	for {
		inner := errors.Unwrap(err)
		if inner == nil || slices.Contains([]error{context.Canceled, context.DeadlineExceeded}, inner) {
			break // the words around the end of a context say whose time it was
		}
		err = inner
	}
	if _, ok := err.(*provider.Error); ok { // no cause: the class says it, in another column
		if status == 0 {
			return ""
		}
		return fmt.Sprintf("HTTP %d", status)
	}
	why := strings.TrimPrefix(err.Error(), "forbidden by policy: ")
	if status != 0 {
		why += fmt.Sprintf(" (HTTP %d)", status)
	}
	return why
}
