package sigstore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// rekorEntry is what Rekor promises to have logged: the payload of a signed entry
// timestamp (SET).
type rekorEntry struct {
	body           string // base64
	integratedTime int64
	logIndex       int64
	logID          string
}

// canonical returns the entry as Rekor signs it: canonical JSON (RFC 8785) with its four
// keys in order. Values that JSON could write in two ways are refused.
func (e rekorEntry) canonical() ([]byte, error) {
	for _, s := range []string{e.body, e.logID} {
		for i := range len(s) {
			if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
				return nil, errors.New("the entry has a character that it cannot have")
			}
		}
	}
	const most = 1 << 53 // what a number in JSON can hold
	for _, n := range []int64{e.integratedTime, e.logIndex} {
		if n > most || n < -most {
			return nil, errors.New("the entry has a number that is too large")
		}
	}
	return fmt.Appendf(nil, `{"body":"%s","integratedTime":%d,"logID":"%s","logIndex":%d}`, e.body, e.integratedTime, e.logID, e.logIndex), nil
}

// verifySET checks that one of keys has signed an entry for exactly this signature: by
// keyOrCert (PEM), of payload. It returns when the entry was logged. The rules are those of
// VerifyRekorSET in containers/image.
func verifySET(keys []*ecdsa.PublicKey, set, keyOrCert, signature, payload []byte) (time.Time, error) {
	var stamp []byte
	var raw json.RawMessage
	if err := exactObject(set, map[string]any{"SignedEntryTimestamp": &stamp, "Payload": &raw}); err != nil {
		return time.Time{}, err
	}
	var e rekorEntry
	if err := exactObject(raw, map[string]any{"body": &e.body, "integratedTime": &e.integratedTime, "logIndex": &e.logIndex, "logID": &e.logID}); err != nil {
		return time.Time{}, err
	}
	signed, err := e.canonical()
	if err != nil {
		return time.Time{}, err
	}
	sum := sha256.Sum256(signed)
	ok := false
	for _, key := range keys {
		ok = ok || ecdsa.VerifyASN1(key, sum[:], stamp)
	}
	if !ok {
		return time.Time{}, errors.New("the entry is not signed by the transparency log")
	}
	if err := e.matches(keyOrCert, signature, payload); err != nil {
		return time.Time{}, err
	}
	return time.Unix(e.integratedTime, 0), nil
}

// matches compares the logged entry, of type hashedrekord 0.0.1, with a signature.
func (e rekorEntry) matches(keyOrCert, signature, payload []byte) error {
	var body []byte
	if err := json.Unmarshal([]byte(`"`+e.body+`"`), &body); err != nil {
		return err
	}
	var record struct {
		Kind       string `json:"kind"`
		APIVersion string `json:"apiVersion"`
		Spec       struct {
			Data struct {
				Hash struct {
					Algorithm string `json:"algorithm"`
					Value     string `json:"value"`
				} `json:"hash"`
			} `json:"data"`
			Signature struct {
				Content   []byte `json:"content"`
				PublicKey struct {
					Content []byte `json:"content"`
				} `json:"publicKey"`
			} `json:"signature"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &record); err != nil {
		return fmt.Errorf("the logged record cannot be read: %w", err)
	}
	if record.Kind != "hashedrekord" || record.APIVersion != "0.0.1" {
		return fmt.Errorf("a logged record of kind %.50q, version %.20q, is not supported", record.Kind, record.APIVersion)
	}
	logged, rest := pem.Decode(record.Spec.Signature.PublicKey.Content)
	own, ownRest := pem.Decode(keyOrCert)
	if logged == nil || len(rest) > 0 || own == nil || len(ownRest) > 0 || !bytes.Equal(logged.Bytes, own.Bytes) {
		return errors.New("the logged record is of another key")
	}
	if !bytes.Equal(record.Spec.Signature.Content, signature) {
		return errors.New("the logged record is of another signature")
	}
	hash, err := hex.DecodeString(record.Spec.Data.Hash.Value)
	sum := sha256.Sum256(payload)
	if err != nil || record.Spec.Data.Hash.Algorithm != "sha256" || !bytes.Equal(hash, sum[:]) {
		return errors.New("the logged record is of another document")
	}
	return nil
}
