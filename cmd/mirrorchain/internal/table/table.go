package table

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
)

// Cut says what happens to a column where the table is too wide.
type Cut int

// The ways to cut a column, in the order in which they are used.
const (
	Text    Cut = iota // cut first, then left out, the last column before the others
	Address            // cut when nothing else is left to cut
	Never              // stays
)

// Column is the head of a column.
type Column struct {
	Title string
	Cut   Cut
	// Right aligns the cells on the right, for numbers.
	Right bool
}

// Cell is one text of a table, with its state.
type Cell struct {
	Text  string
	State State
}

// Plain returns a cell without a state.
func Plain(text string) Cell { return Cell{Text: text} }

// Table is a result in rows and columns. The zero value is an empty table without heads.
type Table struct {
	Columns []Column
	// Indent stands before each line.
	Indent string
	rows   [][]Cell
}

// Add adds a row. A row may have fewer cells than there are columns, and never more.
func (t *Table) Add(cells ...Cell) { t.rows = append(t.rows, cells) }

// Len returns the number of rows.
func (t *Table) Len() int { return len(t.rows) }

const gap = "  "

// least is the width at which a column that can be cut still says something.
const least = 8

// Write writes the table. No line is wider than the look allows, unless the columns that
// are never cut leave no room for some letters of the addresses. A column in which no row has a text is left out.
func (t *Table) Write(w io.Writer, l Look) {
	rows := t.texts(l)
	widths := t.fit(rows, l)
	last := -1
	for i, width := range widths {
		if width > 0 {
			last = i
		}
	}
	var b strings.Builder
	if strings.Join(rows[0].texts, "") == "" {
		rows = rows[1:]
	}
	for _, row := range rows {
		b.WriteString(t.Indent)
		pending := 0 // blanks that count only if something follows
		for i, text := range row.texts {
			if widths[i] == 0 {
				continue
			}
			text = l.cut(text, widths[i])
			pad := widths[i] - utf8.RuneCountInString(text)
			if t.Columns[i].Right {
				pending += pad
				pad = 0
			}
			if text != "" {
				b.WriteString(strings.Repeat(" ", pending))
				b.WriteString(l.paint(text, row.states[i]))
				pending = 0
			}
			if i < last {
				pending += pad + len(gap)
			}
		}
		b.WriteString("\n")
	}
	output.Raw(w, b.String())
}

type textRow struct {
	texts  []string
	states []State
}

// texts returns the head and the rows, as they are written.
func (t *Table) texts(l Look) []textRow {
	n := len(t.Columns)
	head := textRow{make([]string, n), make([]State, n)}
	for i, c := range t.Columns {
		head.texts[i] = c.Title
	}
	rows := []textRow{head}
	for _, cells := range t.rows {
		row := textRow{make([]string, n), make([]State, n)}
		for i, c := range cells {
			row.texts[i], row.states[i] = l.marked(c), c.State
		}
		rows = append(rows, row)
	}
	return rows
}

// fit returns the width of each column, 0 for one that is left out.
func (t *Table) fit(rows []textRow, l Look) []int {
	widths := make([]int, len(t.Columns))
	for i := range t.Columns {
		for _, row := range rows[1:] {
			widths[i] = max(widths[i], utf8.RuneCountInString(row.texts[i]))
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], utf8.RuneCountInString(rows[0].texts[i]))
		}
	}
	if l.Width <= 0 {
		return widths
	}
	room := l.Width - utf8.RuneCountInString(t.Indent)
	excess := func() int {
		sum := -len(gap)
		for _, w := range widths {
			if w > 0 {
				sum += w + len(gap)
			}
		}
		return sum - room
	}
	// The widest column gives first, so that of two addresses none loses everything.
	shrink := func(kind Cut, to int) {
		for excess() > 0 {
			widest := -1
			for i, c := range t.Columns {
				if c.Cut == kind && widths[i] > to && (widest < 0 || widths[i] >= widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				return
			}
			widths[widest]--
		}
	}
	shrink(Text, least)
	for i := len(widths) - 1; i >= 0 && excess() > 0; i-- {
		// Half of a short text says less than its place is worth to an address.
		if t.Columns[i].Cut == Text {
			widths[i] = 0
		}
	}
	shrink(Address, least)
	return widths
}
