// Package manual writes the pages of a command's manual, for man and as Markdown, from what
// its help says. Pages hold no date and no version: the same help gives the same bytes.
//
// cobra's own generator takes help texts for Markdown. Ours are plain text that terminals
// show as it is, with names such as *.yaml and lists set by indentation.
package manual

import (
	"strings"

	"github.com/spf13/pflag"
)

// Page is what the manual says about one command or help topic.
type Page struct {
	// Name is the command as typed, such as "mirrorchain release info".
	Name string
	// Topic says that the page explains something, and that Name is no command.
	Topic bool
	// Short is one line.
	Short string
	// Long is plain text. A paragraph with an indented line keeps its lines.
	Long string
	// Usage and Example are shown as they are, and left out if empty.
	Usage, Example string
	// Lists name other pages.
	Lists []List
	Flags []Flags
}

// List names pages that belong together.
type List struct {
	Title string
	Pages []Page
}

// Flags is a group of flags, in their order.
type Flags struct {
	Title string
	Flags *pflag.FlagSet
}

// File returns the name of the page's file, without its ending.
func (p Page) File() string { return strings.ReplaceAll(p.Name, " ", "-") }

// Section returns the section of man that the page is in.
func (p Page) Section() string {
	if p.Topic {
		return "7"
	}
	return "1"
}

// paragraph is a part of a text between empty lines.
type paragraph struct {
	text string
	asIs bool // its lines are kept
}

func paragraphs(text string) []paragraph {
	var all []paragraph
	for block := range strings.SplitSeq(strings.Trim(text, "\n"), "\n\n") {
		asIs := strings.HasPrefix(block, " ") || strings.Contains(block, "\n ")
		if n := len(all); asIs && n > 0 && all[n-1].asIs {
			all[n-1].text += "\n\n" + block
			continue
		}
		if block != "" {
			all = append(all, paragraph{block, asIs})
		}
	}
	return all
}
