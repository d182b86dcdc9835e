package env

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mirrorchain/mirrorchain/policy"
)

// MaxBytes is the size at which Linux refuses an environment string,
// "NAME=value" counted together: execve fails with E2BIG (MAX_ARG_STRLEN).
const MaxBytes = 128 << 10

// ErrTooLarge says that a value does not fit into an environment variable. Hand
// the rules on as a file instead.
var ErrTooLarge = errors.New("too large for an environment variable")

// TooLargeError is an [ErrTooLarge] with the size.
type TooLargeError struct {
	Size int // in bytes, the name and "=" included
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("encoding %s: %d bytes with its name, the limit is %d: %v", Variable, e.Size, MaxBytes-1, ErrTooLarge)
}

func (e *TooLargeError) Unwrap() error { return ErrTooLarge }

// Encode writes the value of [Variable]: sources sorted, the mirrors of each in
// the order given, "=" when there are none. The same map gives the same bytes,
// and m is not changed. Empty sources and mirrors mean nothing and are left out.
//
// It fails for a source or mirror that the form cannot express (one that holds
// ',' or '=', for there is no escaping), and with a [*TooLargeError] where
// "OPENSHIFT_IMG_OVERRIDES=value" would reach [MaxBytes].
func Encode(m map[string][]string) (string, error) {
	var b strings.Builder
	for _, source := range slices.Sorted(maps.Keys(m)) {
		if source == "" {
			continue
		}
		for _, mirror := range m[source] {
			if mirror == "" {
				continue
			}
			for _, s := range []string{source, mirror} {
				if strings.ContainsAny(s, ",=") {
					return "", fmt.Errorf("encoding %s: source %q with mirror %q: %q holds a ',' or '=', which the format cannot express",
						Variable, source, mirror, s)
				}
			}
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.WriteString(source)
			b.WriteByte('=')
			b.WriteString(mirror)
		}
	}
	if b.Len() == 0 {
		return none, nil
	}
	if size := len(Variable) + 1 + b.Len(); size >= MaxBytes {
		return "", &TooLargeError{Size: size}
	}
	return b.String(), nil
}

// EncodeRules writes the merged Mirror rules: each source with its digest
// mirrors in the order they are tried, then its tag mirrors that are not listed
// yet. Rewrite rules are left out, for they travel as --registry-overrides. Nil
// rules are "=". Errors are those of [Encode].
func EncodeRules(rules *policy.Rules) (string, error) {
	m := map[string][]string{}
	if rules == nil {
		return Encode(m)
	}
	for s := range rules.Merged() {
		if s.Kind != policy.KindMirror {
			continue
		}
		seen := map[string]bool{}
		for _, mirrors := range [][]policy.Mirror{s.DigestMirrors, s.TagMirrors} {
			for _, mirror := range mirrors {
				if !seen[mirror.Location] {
					seen[mirror.Location] = true
					m[s.Source] = append(m[s.Source], mirror.Location)
				}
			}
		}
	}
	return Encode(m)
}
