package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// key returns the beginning of the row of l, which no other row has.
func (l line) key() string { return fmt.Sprintf("| %s | %s |", l.id, l.what) }

// narrow leaves in all the jobs that match only. It returns the rows of the document that
// none of these measures, by their keys, and makes m what the document says of the rest. ""
// matches everything, and keeps nothing.
func (r runner) narrow(ctx context.Context, only string, all *[]job, m *machine) (kept map[string]string, err error) {
	if only == "" {
		return nil, nil
	}
	matches, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("-only: %w", err)
	}
	*all = slices.DeleteFunc(*all, func(j job) bool { return !matches.MatchString(j.run) })
	if len(*all) == 0 {
		return nil, fmt.Errorf("-only: no benchmark matches %q", only)
	}
	text, err := os.ReadFile(filepath.Join(r.root, "docs", "benchmarks.md"))
	if err != nil {
		return nil, err
	}
	kept = map[string]string{}
	for _, l := range lines() {
		measured := l.measure == nil || slices.ContainsFunc(*all, func(j job) bool { return slices.Contains(l.shown, j.pkg+"."+j.run) })
		for row := range strings.Lines(string(text)) {
			if !measured && strings.HasPrefix(row, l.key()) {
				kept[l.key()] = strings.TrimSpace(row)
			}
		}
	}
	now := fmt.Sprintf("%s (%s, commit %s, load before %s)", only, time.Now().UTC().Format("2006-01-02 15:04 MST"), r.output(ctx, ".", "git", "describe", "--always", "--dirty"), load())
	for i, f := range *m {
		for row := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(row, "- "+f[0]+": "); ok {
				(*m)[i][1] = strings.TrimSpace(value)
			}
		}
		if f[0] == laterRows {
			(*m)[i][1] = strings.TrimPrefix((*m)[i][1]+"; "+now, "none; ")
		}
	}
	return kept, nil
}
