package layer

import (
	"io/fs"
	"time"
)

type kind uint8

const (
	directory kind = iota
	file
	symlink
	hardlink // until its layer is complete; then it is what it links to
	special  // a device, a socket, a FIFO: hides, and holds nothing
	gone     // whited out
)

// node is one name in a layer, or in layers seen as one.
type node struct {
	kind    kind
	sealed  bool   // directory: lower layers do not show through
	target  string // of a link
	data    []byte // of a file
	stored  string // its number in the scratch directory, where data is not in memory
	kept    bool   // the content is there, not only the name
	mode    fs.FileMode
	modTime time.Time

	children map[string]*node
}

func (n *node) child(name string) *node { return n.children[name] }

func (n *node) set(name string, c *node) {
	if n.children == nil {
		n.children = make(map[string]*node)
	}
	n.children[name] = c
}

// dir returns the directory at name, made where it is not; a later entry replaces an
// earlier one that is no directory. made counts the nodes that were.
func (n *node) dir(name string, made *int) *node {
	for name != "" {
		var first string
		first, name = split(name)
		c := n.child(first)
		switch {
		case c == nil:
			c = &node{mode: fs.ModeDir | 0o755}
			n.set(first, c)
			*made++
		case c.kind == gone:
			*c = node{mode: fs.ModeDir | 0o755, sealed: true}
		case c.kind != directory:
			*c = node{mode: fs.ModeDir | 0o755, sealed: true}
		}
		n = c
	}
	return n
}

// put adds an entry of the same layer. The last one of a name counts; an entry
// for a directory adds to it.
func (n *node) put(parent, base string, e *node, made *int) {
	d := n.dir(parent, made)
	old := d.child(base)
	if old == nil {
		*made++
	}
	if e.kind == directory {
		if old != nil && old.kind == directory {
			old.mode, old.modTime = e.mode, e.modTime
			return
		}
		e.sealed = old != nil // a whiteout, or something that hides as well
	}
	d.set(base, e)
}

// whiteOut hides what lower layers have at the name. What this layer has there
// stays, whichever comes first.
func (n *node) whiteOut(parent, base string, made *int) {
	d := n.dir(parent, made)
	switch c := d.child(base); {
	case c == nil:
		d.set(base, &node{kind: gone})
		*made++
	case c.kind == directory:
		c.sealed = true
	}
}

// under puts a lower layer beneath n, of which n shows through what it does not
// have itself. The lower layer is used up.
func (n *node) under(lower *node) {
	if n.kind != directory || n.sealed {
		return
	}
	if lower.kind != directory { // and what is below that is not to show either
		n.sealed = true
		return
	}
	for name, c := range lower.children {
		if mine := n.child(name); mine != nil {
			mine.under(c)
		} else {
			n.set(name, c)
		}
	}
	n.sealed = lower.sealed
}

// at returns the node at a name, links not followed.
func (n *node) at(name string) *node {
	for name != "" && n != nil {
		var first string
		first, name = split(name)
		n = n.child(first)
	}
	return n
}
