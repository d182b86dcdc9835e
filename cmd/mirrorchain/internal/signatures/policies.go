package signatures

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/provider/verify"
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

// ofCluster stands for what a cluster has.
const ofCluster = "cluster:"

// Cluster is what of a cluster is asked about here; a Cluster of package
// provider/verify/cluster does.
type Cluster interface {
	ImagePolicies(ctx context.Context) ([]sigstore.ImagePolicy, error)
	Signatures() verify.Store
}

// ImagePolicies reads the policies that the flags name. Without any it is that of OpenShift
// 4.21, the first that is on by default. open opens the cluster.
func ImagePolicies(ctx context.Context, specs []string, open func() (Cluster, error)) (*Policies, error) {
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
				return nil, failure.Usagef("--image-policy %s: want %s21 or later; earlier versions have none that is on by default", spec, builtIn)
			}
			if since == 0 || n > since {
				since = n
			}
			all = append(all, policy)
		case spec == ofCluster:
			read, err := p.cluster(ctx, open)
			if err != nil {
				return nil, fmt.Errorf("--image-policy %s %w", spec, err)
			}
			all, own = append(all, read...), true
		case spec == "":
			return nil, failure.Usagef("--image-policy is empty; want a file, %s or %s21", ofCluster, builtIn)
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
	p.All = all
	if p.Policies, err = sigstore.NewPolicies(all...); err != nil {
		return nil, fmt.Errorf("--image-policy: %w", err)
	}
	return p, nil
}

func (p *Policies) cluster(ctx context.Context, open func() (Cluster, error)) ([]sigstore.ImagePolicy, error) {
	c, err := open()
	if err != nil {
		return nil, err
	}
	found, err := c.ImagePolicies(ctx)
	if err != nil {
		return nil, err
	}
	out := p.clusterWide("the cluster", found)
	if len(out) == 0 {
		p.Notes = append(p.Notes, "the cluster has no ClusterImagePolicy, so its nodes ask for no signatures")
	}
	return out, nil
}

// clusterWide leaves out policies that hold for one namespace.
func (p *Policies) clusterWide(origin string, all []sigstore.ImagePolicy) []sigstore.ImagePolicy {
	var out []sigstore.ImagePolicy
	for _, one := range all {
		if one.Kind == "ClusterImagePolicy" {
			out = append(out, one)
			continue
		}
		p.Notes = append(p.Notes, fmt.Sprintf("%s: the %s %s/%s is left out; it concerns the pods of its own namespace", origin, one.Kind, one.Metadata.Namespace, one.Metadata.Name))
	}
	return out
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
	var all []sigstore.ImagePolicy
	for _, o := range objects {
		if o.kind != "ClusterImagePolicy" && o.kind != "ImagePolicy" {
			continue
		}
		policy := sigstore.ImagePolicy{Kind: o.kind, Origin: name}
		if err := json.Unmarshal(o.json, &policy); err != nil {
			return nil, fmt.Errorf("%s: the %s %s cannot be read: %w", name, o.kind, policy.Metadata.Name, err)
		}
		policy.Kind = o.kind
		all = append(all, policy)
	}
	out := p.clusterWide(name, all)
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no ClusterImagePolicy in it", name)
	}
	return out, nil
}
