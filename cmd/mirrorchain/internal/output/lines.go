package output

import "strings"

// Lines returns each of texts as a line, see [OneLine].
func Lines(texts []string) string {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(OneLine(t) + "\n")
	}
	return b.String()
}
