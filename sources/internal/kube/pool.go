package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/internal/objects"
)

// The API of the machine-config operator.
func machineConfigs(resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "machineconfiguration.openshift.io", Version: "v1", Resource: resource}
}

// maxRendered bounds a rendered MachineConfig. etcd holds no object above 1.5 MiB; as JSON
// of the API server it is not much larger.
const maxRendered = 16 << 20

// pool reads what the nodes of a MachineConfigPool have.
type pool struct {
	name string // of the source: "cluster:worker"
	pool string
	api  *rest.RESTClient
}

// Pool returns the source of the registries.conf and its drop-ins that the nodes of a
// MachineConfigPool have: the files of the rendered MachineConfig that its status names.
// name is what the source is called. It needs get on machineconfigpools and machineconfigs,
// and list on the former for a good error.
func Pool(name, ofPool string, cfg Config) (policy.OverrideSource, error) {
	if problems := validation.IsDNS1123Subdomain(ofPool); len(problems) > 0 {
		return nil, fmt.Errorf("%q is no name of a MachineConfigPool, such as worker: %s", ofPool, strings.Join(problems, "; "))
	}
	conn, err := cfg.connection()
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(conn)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	codecs, err := decoders()
	if err != nil {
		return nil, err
	}
	group := machineConfigs("").GroupVersion()
	conn.APIPath, conn.GroupVersion = "/apis", &group
	conn.ContentConfig.ContentType, conn.ContentConfig.AcceptContentTypes = runtime.ContentTypeJSON, runtime.ContentTypeJSON
	conn.NegotiatedSerializer = codecs.WithoutConversion()
	api, err := rest.RESTClientForConfigAndClient(conn, client)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return &pool{name: name, pool: ofPool, api: api}, nil
}

// Name returns the spec.
func (p *pool) Name() string { return p.name }

// Load reads the pool, and the MachineConfig that its nodes have.
func (p *pool) Load(ctx context.Context) (policy.Policy, error) {
	type configuration struct {
		Configuration struct {
			Name string `json:"name"`
		} `json:"configuration"`
	}
	var read struct{ Spec, Status configuration }
	data, err := p.get(ctx, "machineconfigpools", p.pool)
	if err == nil {
		err = json.Unmarshal(data, &read)
	}
	if err != nil {
		return policy.Policy{}, err
	}
	wanted, rendered := read.Spec.Configuration.Name, read.Status.Configuration.Name
	if rendered == "" {
		return policy.Policy{}, fmt.Errorf("MachineConfigPool %s: its status names no rendered MachineConfig yet; wait for the machine-config operator", p.pool)
	}
	if data, err = p.get(ctx, "machineconfigs", rendered); err != nil {
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

// get reads one object as JSON.
func (p *pool) get(ctx context.Context, resource, name string) ([]byte, error) {
	of := machineConfigs(resource).GroupResource()
	body, err := p.api.Get().Resource(resource).Name(name).Stream(ctx)
	if err != nil {
		if apierrors.IsNotFound(err) && resource == "machineconfigpools" {
			err = p.notFound(ctx, err)
		}
		return nil, explain(fmt.Sprintf("reading %q of", name), of, err)
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxRendered+1))
	if err == nil && len(data) > maxRendered {
		err = fmt.Errorf("it has more than %d bytes", maxRendered)
	}
	if err != nil {
		return nil, explain(fmt.Sprintf("reading %q of", name), of, err)
	}
	return data, nil
}

// notFound names the pools that there are.
func (p *pool) notFound(ctx context.Context, err error) error {
	data, listErr := p.api.Get().Resource("machineconfigpools").Do(ctx).Raw()
	if apierrors.IsNotFound(listErr) {
		return fmt.Errorf("%w; the cluster has no machine-config operator: name the policies' kinds, as cluster: does", err)
	}
	var list struct {
		Items []struct {
			Metadata struct{ Name string } `json:"metadata"`
		} `json:"items"`
	}
	if errors.Join(listErr, json.Unmarshal(data, &list)) != nil || len(list.Items) == 0 {
		return err
	}
	var names []string
	for _, item := range list.Items {
		names = append(names, item.Metadata.Name)
	}
	slices.Sort(names)
	return fmt.Errorf("%w; the cluster has %s", err, strings.Join(names, ", "))
}
