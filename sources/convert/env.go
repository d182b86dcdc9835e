package convert

import (
	"bytes"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/sources/file"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// env writes the line NAME=VALUE of an environment.
func (w *writer) env() error {
	bundle, err := handover.NewBundle(w.rules)
	if err != nil {
		return err
	}
	value, err := bundle.ImageOverrides()
	if err != nil {
		return err
	}
	w.add("overrides.env", []byte(handover.ImageOverridesVariable+"="+value+"\n"))
	return nil
}

// readBack reads the files. ok is false for a form that nothing here reads.
func (w *writer) readBack() (policies []policy.Policy, ok bool, err error) {
	if w.cfg.To == HostsTOML || w.cfg.To == K3s {
		return nil, false, nil
	}
	for _, f := range w.files {
		if w.cfg.To == Env {
			value := bytes.TrimSpace(bytes.TrimPrefix(f.Data, []byte(handover.ImageOverridesVariable+"=")))
			policies = append(policies, handover.ParseImageOverrides(f.Name, string(value)))
			continue
		}
		p, err := file.Parse(f.Name, f.Data)
		if err != nil {
			return nil, false, err
		}
		policies = append(policies, p)
	}
	return policies, true, nil
}
