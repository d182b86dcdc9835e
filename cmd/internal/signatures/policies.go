package signatures

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// Policies are the image policies of nodes.
type Policies struct {
	sigstore.Policies
	// All are the objects of which these are.
	All []sigstore.ImagePolicy
	// Nodes are those that have these policies, for a person.
	Nodes string
	// Notes say what was left out.
	Notes []string
}

// builtIn begins the names of policies that releases bring along: "openshift-4.21".
const builtIn = "openshift-4."

// ImagePolicyFlags are what flags name of image policies. Files are read, the cluster is
// not.
type ImagePolicyFlags struct {
	// Cluster says that the policies of the cluster are named.
	Cluster bool

	all   []sigstore.ImagePolicy
	own   bool // some are of a file
	since int  // the latest minor version of those that releases bring along
	notes []string
}

// ImagePolicies reads the policies that the flags name: files, the names of those that
// releases bring along, and "cluster:". Without any it is that of OpenShift 4.21, the first
// that is on by default.
func ImagePolicies(specs []string) (*ImagePolicyFlags, error) {
	if len(specs) == 0 {
		specs = []string{builtIn + "21"}
	}
	f := new(ImagePolicyFlags)
	for _, spec := range specs {
		if err := f.add(spec); err != nil {
			return nil, err
		}
	}
	_, err := f.Policies()
	return f, err
}

func (f *ImagePolicyFlags) add(spec string) error {
	minor, isBuiltIn := strings.CutPrefix(spec, builtIn)
	switch {
	case isBuiltIn:
		n, err := strconv.Atoi(minor)
		policy, ok := sigstore.OpenShift(n)
		if err != nil || !ok {
			return usagef("--image-policy %s: want %s21 or later; earlier versions have none that is on by default", spec, builtIn)
		}
		f.since = max(f.since, n)
		f.all = append(f.all, policy)
	case spec == clusterSpec:
		f.Cluster, f.own = true, true
	case strings.HasPrefix(spec, clusterSpec):
		return usagef("--image-policy %s: it takes no argument; it reads all of the cluster", spec)
	case spec == "":
		return usagef("--image-policy is empty; want a file, %s21 or %s", builtIn, clusterSpec)
	default:
		read, err := f.file(spec)
		if err != nil {
			return fmt.Errorf("--image-policy: %w", err)
		}
		f.all, f.own = append(f.all, read...), true
	}
	return nil
}

// Policies returns the policies, those of the cluster among them.
func (f *ImagePolicyFlags) Policies(ofCluster ...sigstore.ImagePolicy) (*Policies, error) {
	p := &Policies{Nodes: "nodes with these image policies", Notes: slices.Clone(f.notes)}
	if !f.own {
		p.Nodes = fmt.Sprintf("nodes of 4.%d and later", f.since)
	}
	p.All = slices.Concat(f.all, ofCluster)
	var err error
	if p.Policies, err = sigstore.NewPolicies(p.All...); err != nil {
		return nil, fmt.Errorf("--image-policy: %w", err)
	}
	return p, nil
}

func (f *ImagePolicyFlags) file(name string) ([]sigstore.ImagePolicy, error) {
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
			f.notes = append(f.notes, fmt.Sprintf("%s: an ImagePolicy is left out; it concerns the pods of its own namespace", name))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no ClusterImagePolicy in it", name)
	}
	return out, nil
}
