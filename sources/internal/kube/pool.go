package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/internal/kubeclient"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/internal/objects"
)

// pool reads what the nodes of a MachineConfigPool have.
type pool struct {
	name  string // of the source: "cluster:worker"
	pool  string
	cfg   Config
	pools *kubeclient.Client
}

// machineConfigs returns a kind of the machine-config operator.
func machineConfigs(resource, only string) kubeclient.Resource {
	return kubeclient.Resource{Group: "machineconfiguration.openshift.io", Versions: []string{"v1"}, Resource: resource, Only: only}
}

// Pool returns the source of the registries.conf and its drop-ins that the nodes of a
// MachineConfigPool have: the files of the rendered MachineConfig that its status names.
// name is what the source is called. It needs get and list on machineconfigpools and
// machineconfigs.
func Pool(name, ofPool string, cfg Config) (policy.OverrideSource, error) {
	if problems := validation.IsDNS1123Subdomain(ofPool); len(problems) > 0 {
		return nil, fmt.Errorf("%q is no name of a MachineConfigPool, such as worker: %s", ofPool, strings.Join(problems, "; "))
	}
	pools, err := kubeclient.New(cfg, machineConfigs("machineconfigpools", ""))
	if err != nil {
		return nil, err
	}
	return &pool{name, ofPool, cfg, pools}, nil
}

// Name returns the spec.
func (p *pool) Name() string { return p.name }

// Load reads the pool, and the MachineConfig that its nodes have.
func (p *pool) Load(ctx context.Context) (policy.Policy, error) {
	wanted, rendered, err := p.configurations(ctx)
	if err != nil {
		return policy.Policy{}, fmt.Errorf("MachineConfigPool %s: %w", p.pool, err)
	}
	configs, err := kubeclient.New(p.cfg, machineConfigs("machineconfigs", rendered))
	if err != nil {
		return policy.Policy{}, err
	}
	var found struct{ Items []json.RawMessage }
	if _, err := configs.List(ctx, into(&found)); err != nil {
		return policy.Policy{}, err
	}
	if len(found.Items) != 1 {
		return policy.Policy{}, fmt.Errorf("MachineConfigPool %s: its nodes have the MachineConfig %s, which the cluster does not have", p.pool, rendered)
	}
	// An item of a list does not say what it is.
	var object map[string]json.RawMessage
	if err := json.Unmarshal(found.Items[0], &object); err != nil {
		return policy.Policy{}, err
	}
	object["apiVersion"], object["kind"] = json.RawMessage(`"machineconfiguration.openshift.io/v1"`), json.RawMessage(`"MachineConfig"`)
	data, err := json.Marshal(object)
	if err != nil {
		return policy.Policy{}, err
	}
	set := objects.NewSet("")
	if err := set.Add(p.name, data); err != nil {
		return policy.Policy{}, err
	}
	out, err := set.Policy()
	if err == nil && wanted != "" && wanted != rendered {
		out.Warnings = append(out.Warnings, policy.Warning{
			Code: policy.WarnNotEnforced, Origins: []string{"machineconfigpool/" + p.pool},
			Message: fmt.Sprintf("the nodes of pool %s are being updated from %s, which is read, to %s", p.pool, rendered, wanted),
		})
	}
	return out, err
}

// configurations returns the MachineConfig that the nodes of the pool are to have, and the
// one that they have.
func (p *pool) configurations(ctx context.Context) (wanted, rendered string, err error) {
	type configuration struct {
		Configuration struct{ Name string }
	}
	var list struct {
		Items []struct {
			Metadata     struct{ Name string }
			Spec, Status configuration
		}
	}
	present, err := p.pools.List(ctx, into(&list))
	switch {
	case err != nil:
		return "", "", err
	case !present:
		return "", "", errors.New("the cluster has no machine-config operator; cluster: reads its policies")
	}
	var names []string
	for _, item := range list.Items {
		if item.Metadata.Name != p.pool {
			names = append(names, item.Metadata.Name)
			continue
		}
		if rendered = item.Status.Configuration.Name; rendered == "" {
			return "", "", errors.New("its status names no rendered MachineConfig yet; wait for the machine-config operator")
		}
		return item.Spec.Configuration.Name, rendered, nil
	}
	slices.Sort(names)
	return "", "", fmt.Errorf("the cluster does not have it; it has %s", strings.Join(names, ", "))
}

// into decodes an answer as JSON.
func into(v any) func(rest.Result) error {
	return func(r rest.Result) error {
		data, err := r.Raw()
		if err != nil {
			return err
		}
		return json.Unmarshal(data, v)
	}
}
