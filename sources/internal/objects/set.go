package objects

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/handover"
	"github.com/mirrorchain/mirrorchain/sources/internal/registriesconf"
	"github.com/mirrorchain/mirrorchain/sources/internal/syntax"
)

// Set collects the policies of texts that belong together, such as the files of a folder:
// a MachineConfig may replace the file of another one, and policies of two clusters must
// not be mixed.
type Set struct {
	hostedCluster string // the one that is chosen, "" if none is
	out           policy.Policy
	confs         []conf              // files as they are, not from an object
	node          map[string]nodeFile // files that objects put onto nodes, by path
	clusters      map[string]string   // that policies are of: origin by name
	notChosen     []string            // names of clusters that are left out
	depth         int                 // of texts inside objects
	handedOn      bool
}

// conf is a registries.conf or a drop-in.
type conf struct {
	name   string // by which drop-ins are sorted
	where  string
	data   []byte
	dropIn bool
}

// NewSet makes an empty set. hostedCluster, "NAMESPACE/NAME", chooses one of several
// clusters; "" is for texts with one.
func NewSet(hostedCluster string) *Set {
	return &Set{hostedCluster: hostedCluster, node: map[string]nodeFile{}, clusters: map[string]string{}}
}

// Add adds a text, whose content tells what it is: a registries.conf, objects in YAML or
// JSON, or a document of package handover. where says in origins and errors what data is:
// "file:policies.yaml". What is wrong is a [*policy.InvalidPolicyError], after which the
// set is of no use.
func (s *Set) Add(where string, data []byte) error {
	if handover.IsDocument(data) {
		p, err := handover.Decode(where, data)
		s.handedOn = true
		s.add(p)
		return err
	}
	if Recognise(data) == Tables {
		return s.AddConf(where, data, false)
	}
	return s.documents(where, data)
}

// AddConf adds a registries.conf, or one of its drop-ins: the file name in where tells the
// order of these.
func (s *Set) AddConf(where string, data []byte, dropIn bool) error {
	what := registriesconf.Foreign(data)
	if what == "" && dropIn && !strings.Contains(where, "registries.conf.d/") && !bytes.Contains(data, []byte("registr")) {
		// Nodes read whatever is in registries.conf.d, and nobody else's folder.
		if _, err := registriesconf.Decode(where, data); err != nil {
			what = "another program's configuration"
		}
	}
	if what != "" {
		s.foreign(Object{Where: where}, what)
		return nil
	}
	name := where[strings.LastIndexByte(where, '/')+1:]
	s.confs = append(s.confs, conf{name, where, data, dropIn})
	return nil
}

// HandedOn reports whether one of the texts is a document of package handover.
func (s *Set) HandedOn() bool { return s.handedOn }

// Policy returns what the texts say together. It is called once, after the last text.
func (s *Set) Policy() (policy.Policy, error) {
	if len(s.clusters) > 1 {
		var list []string
		for _, name := range slices.Sorted(maps.Keys(s.clusters)) {
			list = append(list, fmt.Sprintf("%s (%s)", name, s.clusters[name]))
		}
		return policy.Policy{}, invalid("", "these are the policies of %d clusters, and no image is pulled by all of them: %s; choose one with --hosted-cluster NAMESPACE/NAME, or name its files alone",
			len(list), strings.Join(list, ", "))
	}
	if len(s.clusters) == 0 && len(s.notChosen) > 0 {
		slices.Sort(s.notChosen)
		s.warn(policy.WarnNoRules, Object{}, fmt.Sprintf("none of the clusters here is %s, which was chosen: %s", s.hostedCluster, strings.Join(slices.Compact(s.notChosen), ", ")))
	}
	var conf policy.Policy
	if err := s.addConfs(&conf); err != nil {
		return policy.Policy{}, err
	}
	docs := s.out
	s.out = conf
	s.add(docs)
	for _, name := range slices.Sorted(maps.Keys(s.clusters)) {
		s.out.Clusters = append(s.out.Clusters, policy.Cluster{Name: name, Origin: s.clusters[name]})
	}
	return s.out, nil
}

// addConfs decodes what is a registries.conf for nodes: the bases, then all drop-ins in
// order of their file names, of which a later table replaces an earlier one.
func (s *Set) addConfs(p *policy.Policy) error {
	confs := slices.Clone(s.confs)
	for _, path := range slices.Sorted(maps.Keys(s.node)) {
		f := s.node[path]
		confs = append(confs, conf{path[strings.LastIndexByte(path, '/')+1:], f.where, f.data, path != confPath})
	}
	slices.SortStableFunc(confs, func(a, b conf) int {
		switch {
		case a.dropIn == b.dropIn:
			return cmp.Compare(a.name, b.name)
		case b.dropIn:
			return -1 // bases first
		}
		return 1
	})
	var merged registriesconf.Conf // the first base, with the drop-ins
	bases := 0
	for _, c := range confs {
		decoded, err := registriesconf.Decode(c.where, c.data)
		switch {
		case err != nil:
			return err
		case c.dropIn:
			merged.Apply(decoded)
		default:
			if bases++; bases == 1 {
				merged = decoded
			} else {
				decoded.AddTo(p)
			}
		}
	}
	merged.AddTo(p)
	return nil
}

func (s *Set) add(p policy.Policy) {
	s.out.Rules = append(s.out.Rules, p.Rules...)
	s.out.Insecure = append(s.out.Insecure, p.Insecure...)
	s.out.Blocked = append(s.out.Blocked, p.Blocked...)
	s.out.Allowed = append(s.out.Allowed, p.Allowed...)
	s.out.Search = append(s.out.Search, p.Search...)
	s.out.Payloads = append(s.out.Payloads, p.Payloads...)
	s.out.Catalogs = append(s.out.Catalogs, p.Catalogs...)
	s.out.Skipped = append(s.out.Skipped, p.Skipped...)
	s.out.Warnings = append(s.out.Warnings, p.Warnings...)
}

func (s *Set) warn(code string, o Object, message string) {
	w := policy.Warning{Code: code, Message: message}
	if o != (Object{}) {
		w.Origins = []string{o.String()}
	}
	s.out.Warnings = append(s.out.Warnings, w)
}

// foreign records a file of another program, which states mirrors for that program alone.
func (s *Set) foreign(o Object, what string) {
	o.Kind, o.Name = "", ""
	s.out.Skipped = append(s.out.Skipped, policy.SkippedObject{Kind: what, Origin: o.String()})
	s.warn(policy.WarnNotEnforced, o, fmt.Sprintf("%s is %s, which is not read as policy; it is skipped", o, what))
}

// belongsTo reports whether the policies of an object of one cluster count, and notes the
// cluster.
func (s *Set) belongsTo(cluster string, o Object) bool {
	if s.hostedCluster != "" && s.hostedCluster != cluster {
		s.notChosen = append(s.notChosen, cluster)
		return false
	}
	if s.clusters[cluster] == "" {
		s.clusters[cluster] = o.String()
	}
	return true
}

// documents reads YAML or JSON.
func (s *Set) documents(where string, data []byte) error {
	if !utf8.Valid(data) {
		return invalid(where, "the text is not UTF-8; save it as UTF-8")
	}
	// A byte order mark is no content, at the start of any document.
	bom := []byte("\xef\xbb\xbf")
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, bom), append([]byte("\n"), bom...), []byte("\n"))
	if s.depth >= maxDepth {
		return invalid(where, "texts are nested more than %d deep", maxDepth)
	}
	s.depth++
	defer func() { s.depth-- }()
	r := &reader{Set: s, where: where, budget: 8*len(data) + 1000}
	return explain(where, string(data), r.documents(data))
}

// explain adds to the errors of a text what their lines have that a person does not see.
func explain(where, text string, err error) error {
	var out faults
	for _, err := range each(err) {
		if e, ok := err.(*policy.InvalidPolicyError); ok {
			if rest, ok := strings.CutPrefix(e.Origin, where+":"); ok {
				if at, part := syntax.TemplateLine(text); at > 0 {
					return invalid(fmt.Sprintf("%s:%d", where, at), "%s", syntax.Unrendered(part))
				}
				n := 0
				fmt.Sscanf(rest, "%d", &n)
				if c := syntax.Character(syntax.Line(text, n)); c != "" && !strings.Contains(e.Err.Error(), c) {
					e.Err = fmt.Errorf("%w; the line has %s", e.Err, c)
				}
			}
		}
		out = append(out, err)
	}
	return out.err()
}

// Content is what a file holds, as far as its first line tells.
type Content int

// Contents of files.
const (
	Nothing   Content = iota // blank lines and comments
	Documents                // YAML or JSON
	Tables                   // TOML
)

// firstTOML is the first line of a TOML file that is neither blank nor a comment: a
// table's header or a key with "=". YAML has neither, outside of plain scalars
// that would be no policy.
var firstTOML = regexp.MustCompile(`^(\[\[?[ \t]*[\w."':/ -]+[ \t]*\]\]?[ \t]*(#.*)?|[\w."' \t-]+=.*)$`)

// Recognise tells the contents of files apart.
func Recognise(data []byte) Content {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	for line := range bytes.Lines(data) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#':
		case firstTOML.Match(line):
			return Tables
		default:
			return Documents
		}
	}
	return Nothing
}
