package handover

import (
	"fmt"

	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Names that writers and readers share.
const (
	// ImageOverridesVariable is HyperShift's environment variable of source=mirror
	// pairs, see [EncodeImageOverrides].
	ImageOverridesVariable = "OPENSHIFT_IMG_OVERRIDES"
	// Variable is the environment variable that holds the document.
	Variable = "MIRRORCHAIN_OVERRIDES"
	// ConfigMap is the name of the ConfigMap that holds it under Key.
	ConfigMap = "mirrorchain-overrides"
	// Key is the document's key in the ConfigMap, and its file name where mounted.
	Key = "overrides.json"
	// MountDir is where the ConfigMap is mounted.
	MountDir = "/etc/mirrorchain/overrides"
	// File is the mounted document, the value of --overrides-file.
	File = MountDir + "/" + Key
)

// Sizes in bytes up to which something is handed on.
const (
	// MaxEnv is for an environment string or an argument, name and "=" included.
	// Linux refuses 128 KiB, and what a container runtime adds must fit too.
	MaxEnv = 100 << 10
	// MaxDocument is for the document in a ConfigMap, of which the API server takes
	// 1 MiB, metadata included.
	MaxDocument = 900 << 10
)

// Encode writes rules as a document: compact, and the same bytes for the same rules
// from the same entries, whatever order the objects came in. Nil rules are
// [provider.ErrNoRules], since no rules known yet must not read as none wanted. A
// name that is not UTF-8 is an error. No size is too large here, see [Bundle].
func Encode(rules *policy.Rules) ([]byte, error) {
	if rules == nil {
		return nil, fmt.Errorf("handing overrides on: %w", provider.ErrNoRules)
	}
	return encode(documentOf(rules.Policy()))
}

// encodeBare does what Encode does, without the origins: it says what the rules are and not which
// objects state them, and so stays the same while these are renamed and reordered.
func encodeBare(rules *policy.Rules) ([]byte, error) {
	doc := documentOf(rules.Policy())
	doc.forgetOrigins()
	return encode(doc)
}
