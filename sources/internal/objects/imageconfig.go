package objects

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// ImageConfig is what concerns pulls in the object "cluster" of kind Image,
// config.openshift.io/v1: its spec.registrySources.
type ImageConfig struct {
	Object
	Insecure, Blocked, Allowed, Search []Value
}

// ClusterVersionName is the one name that anything reads.
const ClusterVersionName = "version"

// AddPayload notes in p which release image a cluster runs. What is no image is left out,
// since it decides about nothing but blocked scopes.
func AddPayload(p *policy.Policy, image, origin string) {
	if ref, err := imageref.Parse(image); err == nil {
		p.Payloads = append(p.Payloads, policy.Payload{Image: ref, Origin: origin})
	}
}

// Value is a text in a document and its line, 0 where there are no lines.
type Value struct {
	Text string
	Line int
}

// ImageConfigName is the one name that anything reads.
const ImageConfigName = "cluster"

// AddTo appends the object's scopes to p. allowedRegistries is not enforced here,
// and a warning says so.
func (c ImageConfig) AddTo(p *policy.Policy) error {
	if c.Kind == imageKind && c.Name != ImageConfigName {
		p.Warnings = append(p.Warnings, policy.Warning{
			Code:    policy.WarnNotEnforced,
			Origins: []string{c.String()},
			Message: fmt.Sprintf("%s is not read: nodes read only the one named %q", c, ImageConfigName),
		})
		return nil
	}
	object := c.stated()
	for _, list := range []struct {
		field  string
		values []Value
		to     *[]policy.Scope
	}{
		{"insecureRegistries", c.Insecure, &p.Insecure},
		{"blockedRegistries", c.Blocked, &p.Blocked},
		{"allowedRegistries", c.Allowed, &p.Allowed},
		{searchRegistries, c.Search, &p.Search},
	} {
		for i, v := range list.values {
			origin := c.scope(list.field, v.Line, i+1)
			if v.Text == "" && (list.to == &p.Insecure || list.to == &p.Blocked) {
				return misshapen(origin, "the scope is empty; remove it or name a registry, namespace or repository")
			}
			*list.to = append(*list.to, policy.Scope{Name: v.Text, Origin: origin, Object: object})
		}
	}
	if len(c.Allowed) > 0 {
		origin := c.scope("allowedRegistries", c.Allowed[0].Line, 0)
		p.Warnings = append(p.Warnings, policy.Warning{
			Code:    policy.WarnNotEnforced,
			Origins: []string{origin},
			Message: origin + " is not enforced: registries outside it are contacted all the same; block them with blockedRegistries",
		})
	}
	return nil
}

// scope returns "file:x.yaml:9 image/cluster blockedRegistries#2".
func (c ImageConfig) scope(field string, line, n int) string {
	o := c.Object
	o.Name += " " + field
	return o.at(line, n)
}
