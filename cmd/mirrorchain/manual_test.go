package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/mirrorchain/mirrorchain/internal/test/golden"
	"github.com/mirrorchain/mirrorchain/internal/test/manual"
)

// The manual is what the commands say in their help.
func TestManual(t *testing.T) {
	a := &app{err: &lockedWriter{w: io.Discard}}
	root := a.root()
	root.InitDefaultHelpCmd()
	root.InitDefaultVersionFlag()
	written := map[string]bool{}
	compare := func(folder, name, text string) {
		file := filepath.Join("..", "..", "docs", folder, name)
		written[file] = true
		golden.Compare(t, file, text, *update)
	}
	for cmds := []*cobra.Command{root}; len(cmds) > 0; cmds = cmds[1:] {
		c := cmds[0]
		cmds = append(cmds, c.Commands()...)
		p := manualPage(c)
		compare("cli", p.File()+".md", p.Markdown())
		compare("man", p.File()+"."+p.Section(), p.Man())
	}
	for _, folder := range []string{"cli", "man"} {
		files, err := filepath.Glob(filepath.Join("..", "..", "docs", folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if !written[f] {
				t.Errorf("%s is the page of nothing", f)
				if *update {
					os.Remove(f)
				}
			}
		}
	}
}

func manualPage(c *cobra.Command) manual.Page {
	p := manualEntry(c)
	p.Long = c.Long
	if c.HasParent() {
		p.Lists = append(p.Lists, manual.List{Title: "See also", Pages: []manual.Page{manualEntry(c.Parent())}})
	}
	if p.Topic {
		return p
	}
	c.InitDefaultHelpFlag()
	p.Usage, p.Example = usageLine(c), c.Example
	for _, g := range shownFlags(c) {
		p.Flags = append(p.Flags, manual.Flags{Title: g.title, Flags: g.flags})
	}
	list := func(title string, want func(*cobra.Command) bool) {
		l := manual.List{Title: title}
		for _, sub := range c.Commands() {
			if want(sub) {
				l.Pages = append(l.Pages, manualEntry(sub))
			}
		}
		if len(l.Pages) > 0 {
			p.Lists = append([]manual.List{l}, p.Lists...)
		}
	}
	list("Help topics", (*cobra.Command).IsAdditionalHelpTopicCommand)
	list("Commands", func(c *cobra.Command) bool { return c.IsAvailableCommand() || c.Name() == "help" })
	return p
}

func manualEntry(c *cobra.Command) manual.Page {
	return manual.Page{Name: c.CommandPath(), Topic: c.IsAdditionalHelpTopicCommand(), Short: strings.TrimSuffix(c.Short, ".")}
}
