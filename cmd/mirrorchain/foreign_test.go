package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// flagsOf are those that 'oc adm release info --help' and 'oc image info --help' list (oc
// 4.20), and what 'oc options' lists for every command. One that ends with = takes a value.
var flagsOf = map[string]string{
	"release info": `allow-missing-template-keys bugs= certificate-authority= changelog= changes-from= commit-urls commits contents= dir=
		filter-by-os= icsp-file= idms-file= image-for= include-images insecure keep-manifest-list max-per-registry= output= pullspecs registry-config=
		rpmdb rpmdb-cache= rpmdb-diff rpmdb-image= size skip-bug-check skip-verification template= verify
		as= cache-dir= client-certificate= cluster= context= insecure-skip-tls-verify kubeconfig= namespace= request-timeout= server= token= user=`,
	"image digest": "certificate-authority= dir= filter-by-os= icsp-file= idms-file= insecure output= registry-config= show-multiarch skip-verification",
}

// Each of them is offered, or answered with what to use.
func TestFlagsOfOC(t *testing.T) {
	a := &app{err: &lockedWriter{w: io.Discard}}
	root := a.root()
	for command, flags := range flagsOf {
		cmd, _, err := root.Find(strings.Fields(command))
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range strings.Fields(flags) {
			name, takesValue := strings.CutSuffix(flag, "=")
			known := cmd.Flag(name)
			if known == nil {
				known = cmd.InheritedFlags().Lookup(name)
			}
			if known == nil {
				t.Errorf("%s --%s is neither offered nor answered", command, name)
				continue
			}
			if _, foreign := known.Value.(foreignFlag); !foreign {
				continue
			}
			args := append(strings.Fields(command), "--"+name)
			if takesValue {
				args = append(args, "x")
			}
			code, stdout, stderr := run(t.Context(), append(args, "quay.io/a/b:1")...)
			if want := known.Value.Set("").Error(); code != 2 || stdout != "" || !strings.Contains(stderr, want) {
				t.Errorf("%q: code %d, %q, %q", args, code, stdout, stderr)
			}
		}
	}
}

// What another command is called is answered with a command that there is.
func TestOtherVerbs(t *testing.T) {
	root := (&app{err: &lockedWriter{w: io.Discard}}).root()
	for verb, instead := range otherVerbs {
		args := strings.Fields(verb)
		code, _, stderr := run(t.Context(), append(args, "x")...)
		if code != 2 || !strings.Contains(stderr, instead) {
			t.Errorf("%q: code %d, %q", args, code, stderr)
		}
		for part := range strings.SplitSeq(instead, "'mirrorchain ") {
			words, _, quoted := strings.Cut(part, "'")
			if part == instead || !quoted {
				continue
			}
			words, _, _ = strings.Cut(words, " --")
			if found, rest, err := root.Find(strings.Fields(words)); err != nil || len(rest) > 0 || found == root || !slices.Contains(strings.Fields(words), found.Name()) {
				t.Errorf("%q names 'mirrorchain %s', which there is not", args, words)
			}
		}
	}
}
