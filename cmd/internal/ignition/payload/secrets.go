package payload

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// secrets are strings that programs were given and that no error repeats.
type secrets []string

// shortest is what may be a secret; anything shorter would blot out half of a text.
const shortest = 6

var kubeconfigSecret = regexp.MustCompile(`(?m)^\s*(?:token|password|client-key-data):\s*["']?([^\s"']+)`)

// newSecrets finds the secrets in a pull secret and a kubeconfig. It may find too
// many.
func newSecrets(pullSecret, kubeconfig []byte) secrets {
	var s secrets
	add := func(v string) {
		if len(v) >= shortest {
			s = append(s, v)
		}
	}
	var doc struct {
		Auths map[string]map[string]any `json:"auths"`
	}
	if json.Unmarshal(pullSecret, &doc) == nil {
		for _, auth := range doc.Auths {
			for key, v := range auth {
				text, ok := v.(string)
				if !ok || key == "email" {
					continue
				}
				add(text)
				if b, err := base64.StdEncoding.DecodeString(text); key == "auth" && err == nil {
					add(string(b))
					_, password, _ := strings.Cut(string(b), ":")
					add(password)
				}
			}
		}
	}
	if len(pullSecret) > 0 {
		add(base64.StdEncoding.EncodeToString(pullSecret))
	}
	for _, m := range kubeconfigSecret.FindAllSubmatch(kubeconfig, -1) {
		add(string(m[1]))
	}
	// The longest first, so that none leaves a part of another.
	slices.SortFunc(s, func(a, b string) int { return len(b) - len(a) })
	return s
}

func (s secrets) redact(text string) string {
	for _, v := range s {
		text = strings.ReplaceAll(text, v, "REDACTED")
	}
	return text
}
