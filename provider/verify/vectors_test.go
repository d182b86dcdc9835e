package verify_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/provider/verify"
)

// vector reads a public signature or key. They are not kept in this repository.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	dir := os.Getenv("MIRRORCHAIN_TEST_SIGNATURES")
	if dir == "" {
		t.Skip("MIRRORCHAIN_TEST_SIGNATURES names no folder with public signatures")
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Public signatures of real releases verify with the keys that are built in, or with those
// of CI. No change of a single bit makes them say anything else.
func TestPublicSignatures(t *testing.T) {
	const release, ci = "567E347AD0044ADE55BA8A5F199E2F91FD431D51", "D04761B116203B0C0859B61628B76E05B923888E"
	for _, tt := range []struct {
		file, digest, identity, fingerprint string
		v3                                  bool
	}{
		{"ocm-e2e-1", "0da6316466d60a3a4535d5fed3589feb0391989982fba59d47d4c729912d6363", "ocp-release:4.15.0-x86_64", release, false},
		{"ocp-4.10.18", "195de2a5ef3af1083620a62a45ea61ac1233ffa27bbce7b30609a69775aeca19", "ocp-release:4.10.18-x86_64", release, true},
		{"lg-e3f1", "e3f12513a4b22a2d7c0e7c9207f52128113758d9d68c7d06b11a0ac7672966f7", "rhel7:7.6", release, true},
		{"ocm-noo-1", "50b9402635dd4b312a86bed05dcdbda8c00120d3789ec2e9b527045100b3bdb4", "aws-load-balancer-operator-bundle", release, true},
		{"ocm-noo-2", "50b9402635dd4b312a86bed05dcdbda8c00120d3789ec2e9b527045100b3bdb4", "aws-load-balancer-operator-bundle", release, true},
		{"lg-edd9", "edd9824f0404f1a139688017e7001370e2f3fbc088b94da84506653b473fe140", "4.0.0-0.ci-2019-04-19-181452", ci, false},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			sig := vector(t, tt.file)
			k := verify.RedHat()
			if tt.fingerprint == ci {
				k = keyring(t, "ci", vector(t, "ci.asc"))
			}
			digest := "sha256:" + tt.digest
			v, err := trust(t, k).Verify(t.Context(), digest, stored(digest, sig))
			if err != nil {
				t.Fatal(err)
			}
			s := v.Signers[0]
			if !strings.Contains(s.Identity, tt.identity) || s.Key.Fingerprint != tt.fingerprint || s.SignatureV3 != tt.v3 {
				t.Errorf("got %+v", s)
			}
			if expired := tt.fingerprint == ci; expired != (len(v.Notes) == 1) {
				t.Errorf("notes %q", v.Notes)
			}
			flipEveryBit(t, k, digest, sig)
			other := "sha256:" + strings.Repeat("0", 64)
			if _, err := trust(t, k).Verify(t.Context(), other, stored(other, sig)); !errors.Is(err, verify.ErrRejected) {
				t.Errorf("under another digest: %v", err)
			}
		})
	}
}

func TestPublicKeyrings(t *testing.T) {
	for file, want := range map[string]int{
		"redhat-release.asc": 1, "beta2.asc": 1, "ci.asc": 1, "ci-2.asc": 1, "ci-3.asc": 1, "ci-4.asc": 1,
		"lg-redhat.txt": 1, "lg-simple.txt": 1, "lg-combined.txt": 2, "ocm-custom.asc": 2, "ocm-buggy.asc": 0,
	} {
		k, err := verify.ParseKeyring(file, vector(t, file))
		if got := len(k.Keys()); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d keys and %v, want %d", file, got, err, want)
		}
	}
}
