package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// isToken reports whether annotations are those of a token Secret. The value does not
// matter.
func isToken(annotations map[string]string) bool {
	_, ok := annotations[tokens.AnnotationToken]
	return ok
}

// stateOf reads a Secret. One that is no token Secret (any more) counts as deleted.
func stateOf(s *corev1.Secret) tokens.State {
	return tokens.State{
		Deleted: s.DeletionTimestamp != nil || !isToken(s.Annotations),
		Token:   string(s.Data[tokens.KeyToken]), OldToken: string(s.Data[tokens.KeyOldToken]),
		Generated: s.Annotations[tokens.AnnotationGenerated], Expires: s.Annotations[tokens.AnnotationExpires],
		CloudConfigHash: string(s.Data[tokens.KeyCloudHash]),
		Reason:          string(s.Data[tokens.KeyReason]), Message: string(s.Data[tokens.KeyMessage]),
	}
}

// setToken writes tokens and their time.
func setToken(s *corev1.Secret, state tokens.State) {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[tokens.AnnotationGenerated] = state.Generated
	s.Data[tokens.KeyToken] = []byte(state.Token)
	s.Data[tokens.KeyOldToken] = []byte(state.OldToken)
}

// recipe returns the keys of a token Secret that determine its payload.
func recipe() []string {
	return []string{
		tokens.KeyRelease, tokens.KeyConfig, tokens.KeyOSStream, tokens.KeyPullHash,
		tokens.KeyTrustHash, tokens.KeyHCHash, tokens.KeyCloudHash,
	}
}

// recipeOf returns a hash of what the Secret asks for. Its name is not part of it.
func recipeOf(s *corev1.Secret) string {
	h := sha256.New()
	for _, key := range recipe() {
		fmt.Fprintf(h, "%d:", len(s.Data[key]))
		h.Write(s.Data[key])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sameRecipe reports whether a and b are one Secret and ask for the same payload.
func sameRecipe(a, b *corev1.Secret) bool {
	return a.UID == b.UID && !slices.ContainsFunc(recipe(), func(key string) bool {
		return string(a.Data[key]) != string(b.Data[key])
	})
}
