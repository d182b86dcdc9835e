package hostedcontrolplane

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/assembly"
	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/operator"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// Options are the flags of the operator, as they were given, and its environment.
type Options struct {
	// Namespace of the control plane; --namespace.
	Namespace string
	// RegistryOverrides and ImageOverrides are the values of those flags.
	RegistryOverrides, ImageOverrides string
	// OverridesFile is the mounted document that rules are read from; --overrides-file.
	// Empty: they are in the environment.
	OverridesFile string
	// Images are images by the names of the variables that go before them: the values of
	// --socks5-proxy-image and the like.
	Images map[string]*string
	// RefuseNetworks is the value of --refuse-networks, which the ignition server gets too.
	RefuseNetworks string
	// LookupEnv is os.LookupEnv or a stand-in.
	LookupEnv func(string) (string, bool)
}

// Variables with images that stand in for components of the release. Each has a flag of its
// name, see [imageFlag].
const (
	envConfigOperator     = "HOSTED_CLUSTER_CONFIG_OPERATOR_IMAGE"
	envSocks5Proxy        = "SOCKS5_PROXY_IMAGE"
	envAvailabilityProber = "AVAILABILITY_PROBER_IMAGE"
	envTokenMinter        = "TOKEN_MINTER_IMAGE"
)

// imageFlag returns the flag for a variable's value: "socks5-proxy-image" for SOCKS5_PROXY_IMAGE.
func imageFlag(variable string) string {
	return strings.ToLower(strings.ReplaceAll(variable, "_", "-"))
}

// Inputs are what [Options.Read] returns.
type Inputs struct {
	Settings Settings
	// Components are the images to use for components whatever a release says.
	Components map[string]imageref.Ref
	// Warnings are what was skipped.
	Warnings []string
}

// Read reads the options. Errors name the flag or the variable.
func (o Options) Read() (Inputs, error) {
	if o.Namespace == "" {
		return Inputs{}, errors.New("--namespace: want the namespace of the control plane; set it or MY_NAMESPACE")
	}
	images := OperatorImages{}
	for name, into := range map[string]*imageref.Ref{
		"CONTROL_PLANE_OPERATOR_IMAGE": &images.Operator,
		envConfigOperator:              &images.ConfigOperator,
		envSocks5Proxy:                 &images.Socks5Proxy,
		envAvailabilityProber:          &images.AvailabilityProber,
		envTokenMinter:                 &images.TokenMinter,
	} {
		value := o.env(name)
		if flag := o.Images[name]; value == "" && flag != nil {
			name, value = "--"+imageFlag(name), *flag
		}
		if value == "" {
			continue
		}
		ref, err := imageref.Parse(value)
		if err != nil {
			return Inputs{}, fmt.Errorf("%s: %w", name, err)
		}
		*into = ref
	}
	if images.Operator.IsZero() {
		return Inputs{}, errors.New("CONTROL_PLANE_OPERATOR_IMAGE is not set: it is the image of the ignition server; set it to that of this pod")
	}
	overrides, warnings := ImageOverrides(o.ImageOverrides)
	in := Inputs{Components: images.Components(overrides), Warnings: warnings}
	var err error
	s := &in.Settings
	s.Skipped, s.Overridden = warnings, overridden(overrides)
	s.Image = in.Components[ComponentOperator]
	if s.RegistryOverrides, err = handover.ParseRegistryOverrides(o.RegistryOverrides, "--registry-overrides"); err != nil {
		return Inputs{}, err
	}
	s.Mounted = o.OverridesFile != ""
	s.OperateOnRelease = o.env("OPERATE_ON_RELEASE_IMAGE")
	if value := o.env("CERT_ROTATION_SCALE"); value != "" {
		if s.CertificateDay, err = time.ParseDuration(value); err != nil || s.CertificateDay <= 0 {
			return Inputs{}, fmt.Errorf("CERT_ROTATION_SCALE: %q is no duration above zero; write it as in 24h0m0s", value)
		}
	}
	if value := o.env("DEFAULT_SECURITY_CONTEXT_UID"); value != "" {
		uid, err := strconv.ParseInt(value, 10, 64)
		if err != nil || uid < 0 {
			return Inputs{}, fmt.Errorf("DEFAULT_SECURITY_CONTEXT_UID: %q is no user id", value)
		}
		s.UID = &uid
	}
	s.Env = hypershift.ProxyEnv(func(name string) (string, bool) { return o.env(name), true })
	s.Env = append(s.Env, operator.HandOnNetworks(o.RefuseNetworks)...)
	s.Env = append(s.Env, operator.HandOnSignatures(o.env(operator.EnvSignatures))...)
	return in, nil
}

func (o Options) env(name string) string {
	if o.LookupEnv == nil {
		return ""
	}
	value, _ := o.LookupEnv(name)
	return value
}

// Sources returns the sources of the operator's rules: those that it was handed, and its
// own flag.
func (o Options) Sources(ctx context.Context, row assembly.ControlPlaneRow, in Inputs) ([]policy.OverrideSource, error) {
	return row.HandedOver(ctx, o.OverridesFile, in.Settings.RegistryOverrides)
}
