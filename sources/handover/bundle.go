package handover

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
)

// Bundle is everything that is handed on of one set of rules. It depends on nothing
// else: the same policies make the same bytes, in any process and whatever order the
// objects came in, so a Deployment made of it changes when policy does and never
// otherwise. It is immutable; the zero value is of no use.
type Bundle struct {
	document []byte
	variable []byte // the document without origins
	rules    *policy.Rules
}

// NewBundle makes the bundle of rules. Errors are those of [Encode].
func NewBundle(rules *policy.Rules) (Bundle, error) {
	document, err := Encode(rules)
	if err != nil {
		return Bundle{}, err
	}
	variable, err := encodeBare(rules)
	if err != nil {
		return Bundle{}, err
	}
	return Bundle{document, variable, rules}, nil
}

// EnvVar is an environment variable.
type EnvVar struct {
	Name, Value string // as a container's env has them
}

// Env returns the variables of a container, always both of them: HyperShift's
// [ImageOverridesVariable], "=" if there are no mirrors, then [Variable]. If one
// of them is larger than [MaxEnv], the error is a [*TooLargeError] and neither
// may be written: a reader would take the other one for all there is. A name that
// the form of the first cannot express is an error too.
//
// Unlike the document of the ConfigMap, this one does not say where entries come
// from. So a tool that writes the same entries in another order, or under another
// name, restarts nothing.
func (b Bundle) Env() ([]EnvVar, error) {
	mirrors, err := b.ImageOverrides()
	if err != nil {
		return nil, err
	}
	document := EnvVar{Variable, string(b.variable)}
	if err := fits(document.Name, len(document.Name)+1+len(document.Value), MaxEnv, adviceConfigMap); err != nil {
		return nil, err
	}
	return []EnvVar{{ImageOverridesVariable, mirrors}, document}, nil
}

// ImageOverrides returns the value of HyperShift's [ImageOverridesVariable]
// alone.
func (b Bundle) ImageOverrides() (string, error) {
	value, err := encodeMirrors(b.rules)
	if err != nil {
		return "", err
	}
	return value, fits(ImageOverridesVariable, len(ImageOverridesVariable)+1+len(value), MaxEnv, adviceConfigMap)
}

// ConfigMapData returns the data of the ConfigMap named [ConfigMap]. If the
// document is larger than [MaxDocument], the error is a [*TooLargeError].
func (b Bundle) ConfigMapData() (map[string]string, error) {
	if err := fits(Key, len(b.document), MaxDocument, adviceFewer); err != nil {
		return nil, err
	}
	return map[string]string{Key: string(b.document)}, nil
}

// RegistryOverrides returns the value of the flag --registry-overrides: whole
// pairs, sorted; "=" if there are none. If value and flag together are larger
// than [MaxEnv], the error is a [*TooLargeError]. A source or target that the
// form cannot express is an error.
func (b Bundle) RegistryOverrides() (string, error) {
	value, err := encodeRewrites(b.rules)
	if err != nil {
		return "", err
	}
	const flag = "--registry-overrides"
	return value, fits(flag, len(flag)+1+len(value), MaxEnv, adviceFewer)
}

// TooLargeError says that something is too large to be handed on, and what to do.
type TooLargeError struct {
	// What is the variable, the flag or the key of the ConfigMap.
	What string
	// Size and Limit in bytes.
	Size, Limit int
	// Advice is what to do.
	Advice string
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s would have %d bytes, the limit is %d: %s", e.What, e.Size, e.Limit, e.Advice)
}

const (
	adviceConfigMap = "hand the overrides over in a ConfigMap (--override-handover=configmap), or name namespaces or registries as sources in place of repositories"
	adviceFewer     = "name namespaces or registries as sources in place of repositories, so that fewer entries say the same"
)

func fits(what string, size, limit int, advice string) error {
	if size > limit {
		return &TooLargeError{What: what, Size: size, Limit: limit, Advice: advice}
	}
	return nil
}
