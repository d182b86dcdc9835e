package verify_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	pgp "github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/mirrorchain/mirrorchain/provider/verify"
)

const digest = "sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func keyring(t testing.TB, name string, data []byte) verify.Keyring {
	t.Helper()
	k, err := verify.ParseKeyring(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func trust(t testing.TB, keyrings ...verify.Keyring) verify.Trust {
	t.Helper()
	tr, err := verify.NewTrust(keyrings...)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// stored returns a folder with signatures of one digest.
func stored(digest string, signatures ...[]byte) verify.Store {
	fsys := fstest.MapFS{}
	for i, s := range signatures {
		fsys[fmt.Sprintf("%s/signature-%d", strings.Replace(digest, ":", "=", 1), i+1)] = &fstest.MapFile{Data: s}
	}
	return verify.DirStore("store", fsys)
}

func newEntity(t testing.TB, name string) *openpgp.Entity {
	t.Helper()
	e, err := openpgp.NewEntity(name, "", name+"@example.com", &pgp.Config{RSABits: 2048, Time: func() time.Time { return time.Now().Add(-24 * time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func public(t testing.TB, entities ...*openpgp.Entity) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	for _, e := range entities {
		err = errors.Join(err, e.Serialize(w))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func document(digest string) string {
	return fmt.Sprintf(`{"critical":{"type":"atomic container signature","image":{"docker-manifest-digest":%q},"identity":{"docker-reference":"quay.io/ocp/release:4.99.0"}},"optional":{"creator":"test","timestamp":1}}`, digest)
}

// sign makes a message as real signers do, with OpenPGP's version 4.
func sign(t testing.TB, e *openpgp.Entity, document string, cfg *pgp.Config) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := openpgp.Sign(&b, e, nil, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte(document)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packet frames a body in the old format.
func packet(tag byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0x80 | tag<<2 | 2}, uint32(len(body))), body...)
}

// signV3 makes a message with OpenPGP's version 3.
func signV3(t testing.TB, e *openpgp.Entity, document string) []byte {
	t.Helper()
	key := e.PrivateKey.PrivateKey.(*rsa.PrivateKey)
	id := binary.BigEndian.AppendUint64(nil, e.PrimaryKey.KeyId)
	hashed := []byte{0, 0x60, 0, 0, 0}
	sum := sha256.Sum256(append([]byte(document), hashed...))
	value, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	value = bytes.TrimLeft(value, "\x00")
	sig := slices.Concat([]byte{3, 5}, hashed, id, []byte{1, 8}, sum[:2], binary.BigEndian.AppendUint16(nil, uint16(len(value)*8)), value)
	literal := slices.Concat([]byte{'b', 0, 0, 0, 0, 0}, []byte(document))
	onePass := slices.Concat([]byte{3, 0, 8, 1}, id, []byte{1})
	return slices.Concat(packet(4, onePass), packet(11, literal), packet(2, sig))
}

// flipEveryBit fails if a change of one bit of a signature gives another verdict than a
// refusal. Some bits are covered by no OpenPGP signature, such as the file name and the
// date of the literal, and the unhashed part: with those the verdict may be the same.
func flipEveryBit(t *testing.T, k verify.Keyring, digest string, sig []byte) {
	t.Helper()
	tr := trust(t, k)
	want, err := tr.Verify(t.Context(), digest, stored(digest, sig))
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for i := range sig {
		for bit := range 8 {
			flipped := slices.Clone(sig)
			flipped[i] ^= 1 << bit
			got, err := tr.Verify(t.Context(), digest, stored(digest, flipped))
			if err != nil {
				continue
			}
			if same++; got.Signers[0] != want.Signers[0] {
				t.Errorf("byte %d, bit %d: %+v", i, bit, got.Signers[0])
			}
		}
	}
	if most := len(sig) * 8 / 10; same > most {
		t.Errorf("%d of %d flipped bits change nothing, want at most %d", same, 8*len(sig), most)
	}
	t.Logf("%d of %d flipped bits change nothing", same, 8*len(sig))
}

func TestVersions(t *testing.T) {
	e := newEntity(t, "signer")
	k := keyring(t, "k", public(t, e))
	for name, sig := range map[string][]byte{"V3": signV3(t, e, document(digest)), "V4": sign(t, e, document(digest), nil)} {
		t.Run(name, func(t *testing.T) {
			v, err := trust(t, k).Verify(t.Context(), digest, stored(digest, sig))
			if err != nil {
				t.Fatal(err)
			}
			s := v.Signers[0]
			if s.Identity != "quay.io/ocp/release:4.99.0" || s.Keyring != "k" || s.SignatureV3 != (name == "V3") || !strings.HasPrefix(s.Key.Name, "signer") {
				t.Errorf("got %+v", s)
			}
			flipEveryBit(t, k, digest, sig)
		})
	}
}

func TestRefused(t *testing.T) {
	e, other := newEntity(t, "signer"), newEntity(t, "other")
	revoked := newEntity(t, "revoked")
	byRevoked := sign(t, revoked, document(digest), nil)
	if err := revoked.RevokeKey(pgp.NoReason, "", nil); err != nil {
		t.Fatal(err)
	}
	k := keyring(t, "k", public(t, e, revoked))
	good := sign(t, e, document(digest), nil)
	v3 := signV3(t, e, document(digest))
	changed := func(old, new string) string { return strings.Replace(document(digest), old, new, 1) }
	for _, tt := range []struct {
		name, want string
		sig        []byte
	}{
		{"empty", "not an OpenPGP message", nil},
		{"text", "not an OpenPGP message", []byte("hello")},
		{"web page", "not an OpenPGP message", []byte("<html>log in</html>")},
		{"too large", "larger than 65536 bytes", make([]byte, verify.MaxSignature+1)},
		{"foreign key", "not among those that are trusted", sign(t, other, document(digest), nil)},
		{"revoked key", "is revoked", byRevoked},
		{"expired", "the signature expired on", sign(t, e, document(digest), &pgp.Config{SigLifetimeSecs: 60, Time: func() time.Time { return time.Now().Add(-time.Hour) }})},
		{"SHA-1", "is not supported", slices.Concat(v3[:7], []byte{2}, v3[8:bytes.LastIndex(v3, []byte{1, 8})+1], []byte{2}, v3[bytes.LastIndex(v3, []byte{1, 8})+2:])},
		{"two messages", "one document and one signature", slices.Concat(good, good)},
		{"two literals", "one document and one signature", slices.Concat(v3[:18], v3[18:18+11+len(document(digest))], v3[18:])},
		{"cut", "cut short", good[:len(good)-1]},
		{"no JSON", "is not a container signature", sign(t, e, "hello", nil)},
		{"unknown field", "unknown field", sign(t, e, changed(`"optional"`, `"more":1,"optional"`), nil)},
		{"fraction", "is not a container signature", sign(t, e, changed(`"timestamp":1`, `"timestamp":1.5`), nil)},
		{"another type", "of type", sign(t, e, changed("atomic", "other"), nil)},
		{"no identity", "names no image", sign(t, e, changed("quay.io/ocp/release:4.99.0", ""), nil)},
		{"another digest", "signs another digest", sign(t, e, document("sha256:"+strings.Repeat("f", 64)), nil)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := trust(t, k).Verify(t.Context(), digest, stored(digest, tt.sig))
			if !errors.Is(err, verify.ErrRejected) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// An expired key is no reason to refuse, in the cluster-version operator too.
func TestExpiredKey(t *testing.T) {
	then := func() time.Time { return time.Now().Add(-48 * time.Hour) }
	e, err := openpgp.NewEntity("old", "", "old@example.com", &pgp.Config{RSABits: 2048, KeyLifetimeSecs: 3600, Time: then})
	if err != nil {
		t.Fatal(err)
	}
	v, err := trust(t, keyring(t, "k", public(t, e))).Verify(t.Context(), digest, stored(digest, sign(t, e, document(digest), &pgp.Config{Time: then})))
	if err != nil || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "expired on") {
		t.Errorf("got %+v, %v", v, err)
	}
}

// Every keyring has to sign, and any key in it will do.
func TestKeyrings(t *testing.T) {
	a, b, c := newEntity(t, "a"), newEntity(t, "b"), newEntity(t, "c")
	byA, byB, byC := sign(t, a, document(digest), nil), sign(t, b, document(digest), nil), sign(t, c, document(digest), nil)
	tr := trust(t, keyring(t, "ab", public(t, a, b)), keyring(t, "c", append(public(t, c), "some text"...)))
	for _, tt := range []struct {
		name   string
		stores []verify.Store
		want   string
	}{
		{"one of each", []verify.Store{stored(digest, byB, byC)}, "ab b, c c"},
		{"in two stores", []verify.Store{stored(digest, byA), stored(digest, byC)}, "ab a, c c"},
		{"one keyring alone", []verify.Store{stored(digest, byA, byB)}, "missing c"},
		{"none", []verify.Store{stored(digest)}, "no signature"},
		{"no store", nil, "no signature"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := tr.Verify(t.Context(), digest, tt.stores...)
			var got []string
			for _, s := range v.Signers {
				got = append(got, s.Keyring+" "+s.Key.Name[:1])
			}
			if e, ok := errors.AsType[*verify.Error](err); ok {
				if got = append(got, "missing "+strings.Join(e.Missing, " ")); errors.Is(err, verify.ErrNoSignature) {
					got = []string{"no signature"}
				}
			}
			if s := strings.Join(got, ", "); s != tt.want {
				t.Errorf("got %s (%v), want %s", s, err, tt.want)
			}
		})
	}
	if _, err := verify.NewTrust(); err == nil {
		t.Error("trust in nobody is no error")
	}
	if _, err := verify.NewTrust(verify.RedHat(), verify.RedHat()); err == nil {
		t.Error("one name twice is no error")
	}
	if _, err := (verify.Trust{}).Verify(t.Context(), digest, stored(digest, byA)); err == nil {
		t.Error("the zero Trust verifies")
	}
}

func TestDigests(t *testing.T) {
	tr := trust(t, verify.RedHat())
	for _, d := range []string{"", "latest", "sha256:", "sha256:../x", "sha256:a/b"} {
		if _, err := tr.Verify(t.Context(), d, failing{}); !errors.Is(err, verify.ErrInvalidDigest) {
			t.Errorf("%q: %v", d, err)
		}
	}
}

// failing is a store that must not be asked.
type failing struct{}

func (failing) Name() string { return "failing" }
func (failing) Signatures(context.Context, string) iter.Seq2[verify.Signature, error] {
	panic("asked")
}

// endless is a store that has ever more signatures.
type endless struct{ asked *int }

func (endless) Name() string { return "endless" }
func (s endless) Signatures(context.Context, string) iter.Seq2[verify.Signature, error] {
	return func(yield func(verify.Signature, error) bool) {
		for yield(verify.Signature{Data: []byte("x")}, nil) {
			*s.asked++
		}
	}
}

func TestStoreIsBounded(t *testing.T) {
	n := 0
	_, err := trust(t, verify.RedHat()).Verify(t.Context(), digest, endless{&n})
	if n != verify.MaxSignatures || err == nil || !strings.Contains(err.Error(), "more than 9 signatures") {
		t.Errorf("%d signatures, %v", n, err)
	}
}

func TestStores(t *testing.T) {
	e := newEntity(t, "signer")
	tr := trust(t, keyring(t, "k", public(t, e)))
	sig := sign(t, e, document(digest), nil)
	hex := strings.TrimPrefix(digest, "sha256:")
	object := func(text string) verify.ConfigMap {
		var c verify.ConfigMap
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatal(err)
		}
		c.Origin = "file:signatures.json"
		return c
	}
	encoded, _ := json.Marshal(sig)
	const labels = `"labels":{"release.openshift.io/verification-signatures":""}`
	for _, tt := range []struct {
		name   string
		store  verify.Store
		origin string // or the error
	}{
		{"folder", stored(digest, []byte("bad"), sig), "store/sha256=" + hex + "/signature-2"},
		{"folder with a gap", verify.DirStore("d", fstest.MapFS{"sha256=" + hex + "/signature-2": {Data: sig}}), "no signature found"},
		{"lookaside", verify.LookasideStore("l", fstest.MapFS{"ocp/release@sha256=" + hex + "/signature-1": {Data: sig}}, "ocp/release"), "l/ocp/release@sha256=" + hex + "/signature-1"},
		{"raw", verify.RawStore("r", fstest.MapFS{"4.99.0-x86_64-sha256-" + hex: {Data: sig}, "other-sha256-f": {Data: sig}}), "r/4.99.0-x86_64-sha256-" + hex},
		{"raw without a folder", verify.RawStore("r", fstest.MapFS{}), "no signature found"},
		{"config map", verify.ConfigMapStore("c", object(`{"metadata":{"name":"any",`+labels+`},"binaryData":{"sha256-`+hex+`-7":`+string(encoded)+`,"sha256-f-1":"YQ=="}}`)), "file:signatures.json configmap/any sha256-" + hex + "-7"},
		{"config map of another namespace", verify.ConfigMapStore("c", object(`{"metadata":{"name":"any","namespace":"default","labels":{"release.openshift.io/verification-signatures":""}},"binaryData":{"sha256-`+hex+`-1":`+string(encoded)+`}}`)), "in the namespace default and not in openshift-config-managed"},
		{"config map without label", verify.ConfigMapStore("c", object(`{"metadata":{"name":"any"},"binaryData":{"sha256-`+hex+`-1":`+string(encoded)+`}}`)), "not the label release.openshift.io/verification-signatures"},
		{"signature in data", verify.ConfigMapStore("c", object(`{"metadata":{"name":"any",`+labels+`},"data":{"sha256-`+hex+`-1":`+string(encoded)+`}}`)), "signatures are read from binaryData"},
		{"a folder in place of a file", verify.DirStore("d", fstest.MapFS{"sha256=" + hex + "/signature-1/x": {Data: sig}}), "not a regular file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := tr.Verify(t.Context(), digest, tt.store)
			if err == nil && v.Signers[0].Origin != tt.origin || err != nil && !strings.Contains(err.Error(), tt.origin) {
				t.Errorf("got %+v, %v, want %s", v, err, tt.origin)
			}
		})
	}
}

func TestHTTPStore(t *testing.T) {
	e := newEntity(t, "signer")
	tr := trust(t, keyring(t, "k", public(t, e)))
	sig := sign(t, e, document(digest), nil)
	path := "/base/" + strings.Replace(digest, ":", "=", 1) + "/signature-"
	for _, tt := range []struct {
		name    string
		answers []string // of signature-1, -2, …; a number is a status
		want    string
		asked   int
	}{
		{"first", []string{"good"}, "", 1},
		{"second", []string{"<html>", "good"}, "", 2},
		{"behind errors", []string{"503", "", "good"}, "", 3},
		{"missing", nil, "no signature found", 1},
		{"bucket without rights to list", []string{"403", "good"}, "no signature found", 1},
		{"captive portal", []string{" <!DOCTYPE html>"}, "a web page", 2},
		{"broken", []string{"500"}, "HTTP 500", 2},
		{"endless", []string{"endless"}, "larger than 65536 bytes", 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked := 0
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				n := 0
				if _, err := fmt.Sscanf(strings.TrimPrefix(r.URL.Path, path), "%d", &n); err != nil || n > len(tt.answers) {
					http.NotFound(w, r)
					return
				}
				switch a := tt.answers[n-1]; a {
				case "good":
					w.Write(sig)
				case "403", "500", "503":
					code := 0
					fmt.Sscan(a, &code)
					w.WriteHeader(code)
				case "endless":
					for range 1 << 10 {
						if _, err := w.Write(make([]byte, 1<<12)); err != nil {
							return
						}
					}
				default:
					w.Write([]byte(a))
				}
			}))
			defer s.Close()
			base, err := url.Parse(strings.Replace(s.URL, "://", "://user:secret@", 1) + "/base")
			if err != nil {
				t.Fatal(err)
			}
			_, err = tr.Verify(t.Context(), digest, verify.HTTPStore(base, s.Client()))
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error has the password: %v", err)
			}
			if asked != tt.asked {
				t.Errorf("%d requests, want %d", asked, tt.asked)
			}
		})
	}
}

func TestRedHat(t *testing.T) {
	var got []string
	for _, k := range verify.RedHat().Keys() {
		got = append(got, k.Fingerprint+" "+k.Name)
	}
	want := []string{
		"567E347AD0044ADE55BA8A5F199E2F91FD431D51 Red Hat, Inc. (release key 2) <security@redhat.com>",
		"B08B659EE86AF623BC90E8DB938A80CAF21541EB Red Hat, Inc. (beta key 2) <security@redhat.com>",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestKeyringRefused(t *testing.T) {
	e := newEntity(t, "signer")
	good := public(t, e)
	var private bytes.Buffer
	w, _ := armor.Encode(&private, openpgp.PrivateKeyType, nil)
	if err := errors.Join(e.SerializePrivate(w, nil), w.Close()); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty": nil, "text": []byte("hello"), "private": private.Bytes(), "cut": good[:len(good)/2],
		"second cut": append(slices.Clone(good), good[:len(good)/2]...),
	} {
		if k, err := verify.ParseKeyring(name, data); err == nil || !strings.Contains(err.Error(), "keyring "+name) {
			t.Errorf("%s: %d keys, %v", name, len(k.Keys()), err)
		}
	}
	for _, text := range []string{"hello", "-----BEGIN PUBLIC KEY-----\n", "\x00\x00\x00\x20\x01\x01\x00\x02KBXf"} {
		if _, err := verify.ParseKeyring("k", []byte(text)); err == nil || !strings.Contains(err.Error(), "gpg --export") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTrustID(t *testing.T) {
	a, b := keyring(t, "a", public(t, newEntity(t, "a"))), keyring(t, "b", public(t, newEntity(t, "b")))
	one, two := trust(t, a, b).ID(), trust(t, b, a).ID()
	if one != two || one == trust(t, a).ID() {
		t.Errorf("%s, %s, %s", one, two, trust(t, a).ID())
	}
}

func FuzzSignature(f *testing.F) {
	e := newEntity(f, "signer")
	tr := trust(f, keyring(f, "k", public(f, e)))
	f.Add(sign(f, e, document(digest), nil))
	f.Add(signV3(f, e, document(digest)))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, err := tr.Verify(t.Context(), digest, stored(digest, data)); err == nil && v.Signers[0].Identity != "quay.io/ocp/release:4.99.0" {
			t.Errorf("it verifies and says %+v", v)
		}
	})
}

func FuzzKeyring(f *testing.F) {
	f.Add(public(f, newEntity(f, "signer")))
	f.Fuzz(func(t *testing.T, data []byte) {
		if k, err := verify.ParseKeyring("k", data); err == nil && len(k.Keys()) == 0 {
			t.Error("no key and no error")
		}
	})
}
