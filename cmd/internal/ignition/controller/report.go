package controller

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/payload"
	"github.com/mirrorchain/mirrorchain/cmd/internal/ignition/tokens"
)

// made is the message of a payload that was made, HyperShift's.
const made = "Payload generated successfully"

// outcome is what is written into a token Secret.
type outcome struct {
	reason, message string
	body            []byte // of the payload, nil without one
	fresh           bool   // the payload was made just now
}

func failure(reason, message string) outcome { return outcome{reason: reason, message: message} }

func success(body []byte, fresh bool) outcome {
	return outcome{reason: payload.ReasonAsExpected, message: made, body: body, fresh: fresh}
}

// unchanged reports whether the Secret is there and asks for what it asked for.
func (r *Reconciler) unchanged(ctx context.Context, of *corev1.Secret) (bool, error) {
	secret := new(corev1.Secret)
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(of), secret); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return secret.DeletionTimestamp == nil && sameRecipe(of, secret), nil
}

// report writes an outcome to its Secret, unless that has it already: one request for each
// change (OCPBUGS-42320). It does not write to a Secret that asks for something else by
// now, or is gone: then same is false, and the caller reconciles again.
func (r *Reconciler) report(ctx context.Context, of *corev1.Secret, o outcome) (same bool, err error) {
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		same = false
		secret := new(corev1.Secret)
		if err := r.Client.Get(ctx, client.ObjectKeyFromObject(of), secret); err != nil {
			return client.IgnoreNotFound(err)
		}
		if secret.DeletionTimestamp != nil || !sameRecipe(of, secret) {
			return nil
		}
		same = true
		base := secret.DeepCopy()
		changed, err := o.write(secret)
		if err != nil || !changed {
			return err
		}
		err = r.Client.Patch(ctx, secret, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
		if apierrors.IsRequestEntityTooLargeError(err) && len(secret.Data[tokens.KeyPayload]) > 0 {
			// etcd takes less than the API server's own limit lets through.
			secret = base.DeepCopy()
			if !o.tooLarge(secret, len(o.body)) {
				return nil
			}
			err = r.Client.Patch(ctx, secret, client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{}))
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("writing to token secret %s how its payload went: %w", of.Name, err)
	}
	return same, nil
}

// write puts the outcome into the Secret and reports whether that changes it. A
// payload belongs there for [tokens.UpgradeInPlace] alone, gzipped and in base64; one
// that is there already, of this or of another replica, is only replaced by a fresh one.
func (o outcome) write(s *corev1.Secret) (changed bool, err error) {
	if s.Annotations[tokens.AnnotationUpgradeType] != tokens.UpgradeInPlace {
		_, had := s.Data[tokens.KeyPayload]
		if o.body != nil {
			delete(s.Data, tokens.KeyPayload)
		}
		return o.say(s) || had && o.body != nil, nil
	}
	state := stateOf(s)
	if o.body == nil || !o.fresh && len(s.Data[tokens.KeyPayload]) > 0 && state.Reason == o.reason {
		return o.say(s), nil
	}
	encoded, err := encode(o.body)
	if err != nil {
		return false, err
	}
	rest := 0
	for key, value := range s.Data {
		switch key {
		case tokens.KeyPayload, tokens.KeyReason, tokens.KeyMessage:
		default:
			rest += len(value)
		}
	}
	if rest+len(encoded)+len(o.reason)+len(o.message) > corev1.MaxSecretSize {
		return o.tooLarge(s, len(encoded)), nil
	}
	unchanged := bytes.Equal(s.Data[tokens.KeyPayload], encoded)
	s.Data[tokens.KeyPayload] = encoded
	return o.say(s) || !unchanged, nil
}

// say writes reason and message.
func (o outcome) say(s *corev1.Secret) (changed bool) {
	state, changed := stateOf(s).Report(o.reason, o.message)
	if s.Data == nil {
		s.Data = map[string][]byte{}
	}
	s.Data[tokens.KeyReason], s.Data[tokens.KeyMessage] = []byte(state.Reason), []byte(state.Message)
	return changed
}

// tooLarge writes that the payload does not fit. It is no error: trying again changes
// nothing, and nodes that boot are served all the same.
func (o outcome) tooLarge(s *corev1.Secret, size int) (changed bool) {
	_, had := s.Data[tokens.KeyPayload]
	delete(s.Data, tokens.KeyPayload)
	o = failure(payload.ReasonInvalidConfig, fmt.Sprintf(
		"the payload has %d bytes and does not fit into the token secret, where upgrades in place need it and which holds %d bytes in all; make the node pool's configuration smaller, or use upgrade type Replace",
		size, corev1.MaxSecretSize))
	return o.say(s) || had
}

// encode encodes a payload as it is kept in a Secret: gzip, level 9, then base64.
func encode(body []byte) ([]byte, error) {
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(body); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, zipped.Bytes()), nil
}
