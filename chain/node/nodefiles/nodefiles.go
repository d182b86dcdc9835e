// Package nodefiles makes the files by which the container runtime of a node mirrors and
// verifies: registries.conf, policy.json, and registries.d/sigstore-registries.yaml.
//
// They say what those say that the machine-config operator writes for the same policies
// (pkg/controller/container-runtime-config, helpers.go), in bytes of their own. Left out is
// what depends on more than the policies: the registries that unqualified names are
// searched in if the cluster has its own, and files that somebody else wrote into the
// folders beside them.
package nodefiles

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/policy/registriesconf"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Names of files, below /etc/containers of a node.
const (
	RegistriesConf     = "registries.conf"
	PolicyJSON         = "policy.json"
	SigstoreRegistries = "registries.d/sigstore-registries.yaml"

	// DropIns is the pattern of the names of drop-ins, one for each file.
	DropIns = "registries.conf.d/drop-in-*.conf"
)

// File is one file.
type File struct {
	Name string // below /etc/containers, with slashes
	Data []byte // its whole content
}

// Render returns the files for rules and cluster-wide image policies, in the order of
// the names above, after RegistriesConf the drop-ins if there are any. SigstoreRegistries is
// left out if there are no image policies, as on a node. stated are the policies that rules
// come from: they say which registries are allowed, and which release runs, see
// [node.NewAdmission]. The same input gives the same bytes.
//
// The error names the entry that cannot be rendered. These are those that make the
// machine-config operator render nothing, and entries that nodes do not have: Rewrite rules
// and namespaced image policies.
func Render(rules *policy.Rules, stated []policy.Policy, policies ...sigstore.ImagePolicy) ([]File, error) {
	for _, r := range rules.Policy().Rules {
		if r.Kind == policy.KindRewrite {
			return nil, fmt.Errorf("%s: nodes have no rule that replaces %s in references; leave it out", r.Origin, r.Source)
		}
	}
	conf, dropIns, err := registriesconf.EncodeNode(rules)
	if err != nil {
		return nil, err
	}
	signed, err := policyJSON(node.NewAdmission(rules, stated), policies)
	if err != nil {
		return nil, err
	}
	files := []File{{RegistriesConf, append([]byte(search), conf...)}}
	for i, data := range dropIns {
		files = append(files, File{strings.Replace(DropIns, "*", strconv.Itoa(i+1), 1), data})
	}
	files = append(files, File{PolicyJSON, signed})
	if len(policies) == 0 {
		return files, nil
	}
	attachments, err := sigstoreRegistries(rules, policies)
	if err != nil {
		return nil, err
	}
	return append(files, File{SigstoreRegistries, attachments}), nil
}

// search is what the template of every node says of names without a registry.
const search = "unqualified-search-registries = [\"registry.access.redhat.com\", \"docker.io\"]\n\n"

// sigstoreRegistries names the places whose signatures a node reads: the scopes of image
// policies, and every place that an image in them may be pulled from.
func sigstoreRegistries(rules *policy.Rules, policies []sigstore.ImagePolicy) ([]byte, error) {
	places := make(map[string]bool)
	for _, p := range policies {
		for _, scope := range p.Spec.Scopes {
			places[scope] = true
			from := []string{scope}
			for _, r := range rules.Policy().Rules {
				if r.Source != scope && sigstore.IsNested(r.Source, scope) {
					from = append(from, r.Source)
				}
			}
			for _, s := range from {
				if err := addEndpoints(places, rules, s); err != nil {
					return nil, fmt.Errorf("scope %s of %s: %w", scope, p.Metadata.Name, err)
				}
			}
		}
	}
	var names []string
	for p := range places {
		names = append(names, p)
	}
	slices.Sort(names)
	var b strings.Builder
	b.WriteString("docker:\n")
	for _, n := range names {
		fmt.Fprintf(&b, "  %q:\n    use-sigstore-attachments: true\n", n)
	}
	return []byte(b.String()), nil
}

// below stands in for what is below a scope that is no repository.
const below = "/any/image"

// repositoryIn returns the name of a repository in scope, and what of its end is not the
// scope's; "" if scope is spelt so that no image can lie in it.
func repositoryIn(scope string) (name, suffix string, err error) {
	if domain, ok := strings.CutPrefix(scope, "*."); ok {
		scope = "any." + domain
	}
	if slash := strings.LastIndexByte(scope, '/'); slash >= 0 {
		scope, _, _ = strings.Cut(scope, "@")
		if colon := strings.LastIndexByte(scope, ':'); colon > slash {
			scope = scope[:colon]
		}
		if repo, err := imageref.ParseCanonical(scope); err == nil {
			return repo.Name(), "", nil
		}
	}
	repo, err := imageref.ParseCanonical(scope + below)
	if err == nil {
		return repo.Name(), below, nil
	}
	_, err = imageref.Parse(scope + below)
	return "", "", err
}

// addEndpoints adds the places that images in scope may be pulled from, by digest or by
// tag, blocked ones too.
func addEndpoints(places map[string]bool, rules *policy.Rules, scope string) error {
	repo, suffix, err := repositoryIn(scope)
	if repo == "" {
		return err
	}
	var at []imageref.Ref
	for _, how := range []string{"@sha256:" + strings.Repeat("0", 64), ":any"} {
		ref, err := imageref.ParseCanonical(repo + how)
		if err != nil {
			return err
		}
		x, err := rules.Explain(ref)
		if err != nil {
			return err
		}
		if x.Source == "" {
			continue
		}
		// A wildcard is not a place, unless policy moves it to one.
		source := !strings.HasPrefix(x.Source, "*.") || x.Moved
		for _, c := range x.Candidates {
			if c.Mirror || source {
				at = append(at, c.Ref)
			}
		}
		for _, r := range x.Refused {
			if r.Mirror || source {
				at = append(at, r.Ref)
			}
		}
	}
	for _, ref := range at {
		base := strings.TrimSuffix(ref.Name(), suffix)
		// The machine-config operator asks about a repository: scope, or one in a registry.
		asked := base
		if !strings.Contains(scope, "/") {
			asked += "/a"
		}
		if _, err := imageref.ParseCanonical(asked); err != nil {
			return fmt.Errorf("the machine-config operator renders nothing, because %s is no repository in full form; name namespaces or repositories of it: %w", asked, err)
		}
		places[base] = true
	}
	return nil
}
