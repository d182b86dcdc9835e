package signatures

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Policies are the image policies of nodes.
type Policies struct {
	sigstore.Policies
	// Nodes are those that have these policies, for a person.
	Nodes string
	// Notes say what was left out.
	Notes []string
}

// builtIn begins the names of policies that releases bring along: "openshift-4.21".
const builtIn = "openshift-4."

// ImagePolicies reads the policies that the flags name. Without any it is that of OpenShift
// 4.21, the first that is on by default.
func ImagePolicies(specs []string) (*Policies, error) {
	if len(specs) == 0 {
		specs = []string{builtIn + "21"}
	}
	p := &Policies{Nodes: "nodes with these image policies"}
	var all []sigstore.ImagePolicy
	var own bool
	var since int
	for _, spec := range specs {
		minor, isBuiltIn := strings.CutPrefix(spec, builtIn)
		switch {
		case isBuiltIn:
			n, err := strconv.Atoi(minor)
			policy, ok := sigstore.OpenShift(n)
			if err != nil || !ok {
				return nil, usagef("--image-policy %s: want %s21 or later; earlier versions have none that is on by default", spec, builtIn)
			}
			if since == 0 || n > since {
				since = n
			}
			all = append(all, policy)
		case strings.HasPrefix(spec, "cluster:"):
			return nil, usagef("--image-policy cluster: is not supported; write the policies to a file and name that: oc get clusterimagepolicy -o yaml > policies.yaml")
		case spec == "":
			return nil, usagef("--image-policy is empty; want a file or %s21", builtIn)
		default:
			read, err := p.file(spec)
			if err != nil {
				return nil, fmt.Errorf("--image-policy: %w", err)
			}
			all, own = append(all, read...), true
		}
	}
	if !own {
		p.Nodes = fmt.Sprintf("nodes of 4.%d and later", since)
	}
	var err error
	if p.Policies, err = sigstore.NewPolicies(all...); err != nil {
		return nil, fmt.Errorf("--image-policy: %w", err)
	}
	return p, nil
}

func (p *Policies) file(name string) ([]sigstore.ImagePolicy, error) {
	data, err := read(name)
	if err != nil {
		return nil, err
	}
	objects, err := objects(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var out []sigstore.ImagePolicy
	for _, o := range objects {
		policy := sigstore.ImagePolicy{Kind: o.kind, Origin: name}
		switch o.kind {
		case "ClusterImagePolicy":
			if err := json.Unmarshal(o.json, &policy); err != nil {
				return nil, fmt.Errorf("%s: the %s %s cannot be read: %w", name, o.kind, policy.Metadata.Name, err)
			}
			out = append(out, policy)
		case "ImagePolicy":
			p.Notes = append(p.Notes, fmt.Sprintf("%s: an ImagePolicy is left out; it concerns the pods of its own namespace", name))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no ClusterImagePolicy in it", name)
	}
	return out, nil
}
