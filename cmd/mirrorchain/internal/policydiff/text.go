package policydiff

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/policy/diff"
)

// Text writes the report for a person: what nodes do first, because it is what hurts.
func (r *Report) Text(w io.Writer) {
	say := func(format string, args ...any) { fmt.Fprint(w, output.Line(format, args...)) }
	if r.Same {
		say("nothing changes: not for images, and not for nodes")
		return
	}
	say("nodes       %s", r.nodes())
	for _, reason := range r.Nodes.Reasons {
		say("            %s", reason)
	}
	for _, refused := range r.Nodes.Refused {
		say("            the machine-config operator refuses the new policies, and nodes keep what they have until this is mended: %s", refused)
	}
	say("HyperShift  %s", r.controlPlanes())
	say("            %s", r.nodePools())
	if r.HyperShift.Error != "" {
		say("            the new rules cannot be handed on: %s", r.HyperShift.Error)
	}
	for i, s := range r.Sources {
		if i == 0 {
			say("\nSources:")
		}
		say("  %s %s", map[diff.Change]string{diff.Added: "+", diff.Removed: "-", diff.Changed: "~"}[s.Change], s.Source)
		pulls(say, "by digest", s.Digests)
		pulls(say, "by tag", s.Tags)
	}
	for i, g := range r.Groups {
		if i == 0 {
			say("\nImages:")
		}
		say("  %s: %s", words.Plural(len(g.Images), "image"), sentence(g.Endpoints))
		if g.Change != diff.Unchanged {
			say("    %s", strings.Join(g.Images, ", "))
		}
	}
}

func pulls(say func(string, ...any), how string, e diff.Endpoints) {
	if len(e.Before)+len(e.After) > 0 && fmt.Sprint(e.Before) == fmt.Sprint(e.After) {
		say("      %-9s  stays: %s", how, diff.List(e.After, "nothing"))
		return
	}
	say("      %-9s  %s", how, sentence(e))
}

// sentence says what changes for an image.
func sentence(e diff.Endpoints) string {
	if fmt.Sprint(e.Before) == fmt.Sprint(e.After) && e.Error == "" {
		return "nothing changes; " + diff.List(e.After, "nothing")
	}
	s := diff.List(e.Before, "nothing") + "  ->  " + diff.List(e.After, "nothing")
	switch {
	case e.Error != "":
		s += "  LOST: " + e.Error
	case e.Loss == diff.LosesAllEndpoint:
		s += "  LOST: policy leaves no endpoint"
	case e.Loss == diff.LosesLastMirror:
		s += "  (no mirror is left)"
	}
	return s
}

func (r *Report) nodes() string {
	switch r.Nodes.Action {
	case diff.Nothing:
		return "nothing: registries.conf stays as it is, byte for byte"
	case diff.Reload:
		return "reload: CRI-O reads its configuration again on every node; no pod is moved"
	case diff.Drain:
		return "drain: every node is drained, one after another, and CRI-O reads its configuration again"
	}
	return "reboot: every node is drained and rebooted, one after another"
}

func (r *Report) controlPlanes() string {
	switch {
	case r.HyperShift.Environment:
		return "control planes that get the rules in OPENSHIFT_IMG_OVERRIDES restart; those that follow the ConfigMap do not"
	case r.HyperShift.ConfigMap:
		return "control planes: the ConfigMap with the rules changes, and nothing restarts"
	}
	return "control planes: nothing"
}

func (r *Report) nodePools() string {
	switch r.HyperShift.NodePools {
	case PoolsRollout:
		return "NodePools: all nodes are replaced or upgraded, because spec of the HostedCluster changes"
	case PoolsNothing:
		return "NodePools: nothing"
	}
	return "NodePools: nothing, unless the same change is made in a HostedCluster or in the config of a NodePool: then all nodes are replaced"
}

// Format returns the report as Markdown, for a comment on a pull request.
func (r *Report) Format(output.Format) ([]byte, error) {
	var b bytes.Buffer
	line := func(format string, args ...any) { b.WriteString(output.Line(format, args...)) }
	line("### Mirror policies: %s", r.headline())
	line("")
	if r.Same {
		return b.Bytes(), nil
	}
	for _, reason := range r.Nodes.Reasons {
		line("- nodes: %s", cell(reason))
	}
	for _, refused := range r.Nodes.Refused {
		line("- **the machine-config operator refuses the new policies**: %s", cell(refused))
	}
	line("- HyperShift: %s", r.controlPlanes())
	line("- %s", r.nodePools())
	if len(r.Sources) > 0 {
		line("\n| source | | by digest | by tag |\n|---|---|---|---|")
	}
	for _, s := range r.Sources {
		line("| %s | %s | %s | %s |", cell(s.Source), s.Change, cell(sentence(s.Digests)), cell(sentence(s.Tags)))
	}
	if len(r.Groups) > 0 {
		line("\n| images | change |\n|---|---|")
	}
	for _, g := range r.Groups {
		line("| %d | %s |", len(g.Images), cell(sentence(g.Endpoints)))
	}
	return b.Bytes(), nil
}

func (r *Report) headline() string {
	if r.Same {
		return "nothing changes"
	}
	s := "nodes " + r.Nodes.Action.String()
	if r.Nodes.Action == diff.Nothing {
		s = "nodes do nothing"
	}
	if n := r.lost(); n > 0 {
		s += fmt.Sprintf(", %s cannot be pulled any more", words.Plural(n, "image"))
	}
	return s
}

// lost counts images that nothing is left for.
func (r *Report) lost() (n int) {
	for _, g := range r.Groups {
		if g.Loss == diff.LosesAllEndpoint {
			n += len(g.Images)
		}
	}
	return n
}

// cell writes a text that Markdown leaves as it is.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;", "`", "'", "[", `\[`, "@", "@\u200b").Replace(output.OneLine(s))
}
