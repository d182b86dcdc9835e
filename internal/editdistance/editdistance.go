// Package editdistance says how far two names are apart, for "did you mean".
package editdistance

// maxLen bounds the work for a text that is no name.
const maxLen = 64

// Levenshtein counts the bytes that have to be inserted, removed or replaced to make b of
// a. An a of more than 64 bytes is as far from everything as it is long.
func Levenshtein(a, b string) int {
	if len(a) > maxLen {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
