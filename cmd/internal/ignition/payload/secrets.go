package payload

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
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
	for _, m := range kubeconfigSecret.FindAllSubmatch(kubeconfig, -1) { // of one that is broken, too
		add(string(m[1]))
	}
	var config any
	if yaml.Unmarshal(kubeconfig, &config) == nil { // YAML, or JSON
		kubeconfigSecrets(config, add)
	}
	// The longest first, so that none leaves a part of another.
	slices.SortFunc(s, func(a, b string) int { return len(b) - len(a) })
	return s
}

// kubeconfigSecrets finds what is secret at any depth of a kubeconfig.
func kubeconfigSecrets(node any, add func(string)) {
	switch node := node.(type) {
	case []any:
		for _, v := range node {
			kubeconfigSecrets(v, add)
		}
	case map[string]any:
		for key, v := range node {
			text, ok := v.(string)
			switch {
			case !ok:
				kubeconfigSecrets(v, add)
			case slices.Contains([]string{"token", "password", "client-key-data", "id-token", "refresh-token", "access-token", "client-secret"}, key):
				text = strings.TrimSpace(text) // of a block, its last line break
				add(text)
				if b, err := base64.StdEncoding.DecodeString(text); key == "client-key-data" && err == nil {
					add(string(b))
				}
			}
		}
	}
}

// keep is how much is told of what a program printed.
const keep = 16 << 10

// margin returns how many bytes beyond keep are needed: output that was cut off may begin
// with as much of a secret.
func (s secrets) margin() int {
	if len(s) == 0 {
		return 0
	}
	return len(s[0]) // the longest
}

// end returns the last part of text, keep bytes at most, without secrets and without a part
// of one at either end. Text that was cut off at its beginning has keep and margin bytes.
func (s secrets) end(text string) string {
	lead := ""
	if len(text) > keep {
		lead = "[...]"
		from := len(text) - keep
		for moved := true; moved; {
			moved = false
			for _, v := range s {
				at := max(0, from-len(v)+1)
				if i := strings.Index(text[at:min(len(text), from+len(v)-1)], v); i >= 0 {
					from, moved = at+i+len(v), true
				}
			}
		}
		text = text[from:]
	}
	text = s.redact(text)
	for _, v := range s { // one that the program had not printed to its end
		for n := min(len(v)-1, len(text)); n >= shortest; n-- {
			if strings.HasSuffix(text, v[:n]) {
				text = text[:len(text)-n] + "REDACTED"
				break
			}
		}
	}
	return lead + text
}

func (s secrets) redact(text string) string {
	for _, v := range s {
		text = strings.ReplaceAll(text, v, "REDACTED")
	}
	return text
}
