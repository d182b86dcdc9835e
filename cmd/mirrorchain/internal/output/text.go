package output

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Table writes rows in columns. Each column is as wide as its widest cell, the last
// one as wide as it is. Cells are written as [OneLine].
func Table(w io.Writer, indent string, rows [][]string) {
	var width []int
	for _, row := range rows {
		for i := range row {
			row[i] = OneLine(row[i])
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(row[i]))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		line.WriteString(indent)
		for i, cell := range row {
			if i < len(row)-1 {
				fmt.Fprintf(&line, "%-*s  ", width[i], cell)
			} else {
				line.WriteString(cell)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// List returns s, and an empty slice for nil, which JSON would write as null.
func List[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Kind returns what a person calls an endpoint: "mirror" or "source".
func Kind(mirror bool) string {
	if mirror {
		return "mirror"
	}
	return "source"
}

// Dash returns s, and "-" in place of nothing.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// DigestOf returns the digest of an image, and all of an image that has none.
func DigestOf(image string) string {
	if _, digest, ok := strings.Cut(image, "@"); ok {
		return digest
	}
	return image
}
