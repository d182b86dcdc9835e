package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/chain/verifier"
	"github.com/mirrorchain/mirrorchain/cmd/internal/signatures"
	"github.com/mirrorchain/mirrorchain/provider/verify"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
	"github.com/mirrorchain/mirrorchain/sources/handover"
)

// EnvSignatures is the variable that hands on to control planes which signatures releases
// need. Who does not know it is not disturbed, unlike by a flag.
const EnvSignatures = "MIRRORCHAIN_SIGNATURES"

// maxSignatures is the size in bytes of the largest document. It stands in the Deployment
// twice, see package hostedcluster, beside mirror rules.
const maxSignatures = 64 << 10

// handedSignatures is the document.
type handedSignatures struct {
	Version   int    `json:"version"` // 1; a reader refuses what it does not know, since it could ask for less
	Mode      string `json:"mode"`
	Namespace string `json:"namespace"` // of the control plane, whose image policies hold beside the cluster's
	// Keyrings have to sign with GPG; those of Red Hat where there are stores alone.
	Keyrings []handedKeyring `json:"keyrings,omitempty"`
	Stores   []string        `json:"signatures,omitempty"` // URLs
	// ImagePolicies are in force when this is written.
	ImagePolicies []sigstore.ImagePolicy `json:"imagePolicies,omitempty"`
}

type handedKeyring struct {
	Name string `json:"name"`
	Keys []byte `json:"keys"`
}

// canHandOn reports whether another process can ask all stores: they are URLs, without
// a password, which would have to be written into a Deployment.
func canHandOn(stores []string) bool {
	for _, s := range stores {
		if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") {
			return false
		}
		if u, err := url.Parse(s); err != nil || u.User != nil {
			return false
		}
	}
	return len(stores) > 0
}

// HandOn returns the document that hands s on to the control plane in a namespace; "" for
// nothing that it could ask for. It is a function of the flags and of the image policies in
// force. A document that is too large is a [*handover.TooLargeError].
func (s *Signatures) HandOn(namespace string) (string, error) {
	if s == nil {
		return "", nil
	}
	s.mu.Lock()
	policies, inForce := s.policies, s.inForce
	s.mu.Unlock()
	if inForce == nil {
		return "", s.Waiting()
	}
	doc := handedSignatures{Version: 1, Mode: string(s.cfg.Mode), Namespace: namespace, Stores: s.handed}
	if len(doc.Stores) > 0 && s.ownKeys {
		for _, k := range s.cfg.Trust.Keyrings() {
			doc.Keyrings = append(doc.Keyrings, handedKeyring{k.Name(), k.Data()})
		}
	}
	for _, p := range policies {
		if p.Metadata.Namespace == "" || p.Metadata.Namespace == namespace {
			doc.ImagePolicies = append(doc.ImagePolicies, p)
		}
	}
	if len(doc.Stores)+len(doc.ImagePolicies) == 0 {
		return "", nil
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("handing on the signatures that are asked for: %w", err)
	}
	if len(text) > maxSignatures {
		return "", &handover.TooLargeError{
			What: EnvSignatures, Size: len(text), Limit: maxSignatures,
			Advice: "have fewer image policies, or smaller keys and keyrings",
		}
	}
	return string(text), nil
}

// HandOnSignatures returns the variable with a document, none for none.
func HandOnSignatures(document string) []corev1.EnvVar {
	if document == "" {
		return nil
	}
	return []corev1.EnvVar{{Name: EnvSignatures, Value: document}}
}

// ReadHanded reads the document that a control plane was handed, where its flags say nothing;
// else these count. It returns nil where no signature is asked for.
func (f *SignatureFlags) ReadHanded(document string, log *zap.Logger) (*Signatures, error) {
	if f.isSet() || document == "" {
		return f.Read(nil, log)
	}
	s, err := readHanded(document)
	if err != nil {
		return nil, fmt.Errorf("$%s: %w", EnvSignatures, err)
	}
	if log != nil {
		s.log = log
	}
	return s, nil
}

func (f *SignatureFlags) isSet() bool {
	return f.Mode != "" || len(f.Keyrings)+len(f.Stores)+len(f.Policies) > 0
}

func readHanded(document string) (*Signatures, error) {
	var doc handedSignatures
	if err := json.Unmarshal([]byte(document), &doc); err != nil {
		return nil, fmt.Errorf("it is no document: %w", err)
	}
	if doc.Version != 1 {
		return nil, fmt.Errorf("the document has version %d, and this program reads version 1; the hypershift-operator that wrote it is of another version", doc.Version)
	}
	if len(doc.Stores)+len(doc.ImagePolicies) == 0 || len(doc.Stores) == 0 && len(doc.Keyrings) > 0 {
		return nil, errors.New("it asks for no signature")
	}
	s := &Signatures{log: zap.NewNop(), changed: make(chan struct{}), namespace: doc.Namespace}
	var err error
	if s.cfg.Mode, err = verifier.ParseMode(doc.Mode); err != nil {
		return nil, err
	}
	if len(doc.Stores) > 0 {
		if !canHandOn(doc.Stores) {
			return nil, errors.New("signatures: want URLs without a password")
		}
		stores, err := signatures.OpenStores(doc.Stores, releases, nil)
		if err != nil {
			return nil, err
		}
		s.cfg.Stores = stores.All
		keyrings := []verify.Keyring{verify.RedHat()}
		if len(doc.Keyrings) > 0 {
			keyrings = nil
		}
		for _, k := range doc.Keyrings {
			keyring, err := verify.ParseKeyring(k.Name, k.Keys)
			if err != nil {
				return nil, err
			}
			keyrings = append(keyrings, keyring)
		}
		if s.cfg.Trust, err = verify.NewTrust(keyrings...); err != nil {
			return nil, err
		}
	}
	if s.cfg.Policies, err = sigstore.NewPolicies(doc.ImagePolicies...); err != nil {
		return nil, err
	}
	s.inForce = &s.cfg
	return s, nil
}
