package main

import (
	"strings"
)

// commandLine returns a command of this program with the policy flags of this run, for
// copying. Those flags hold nothing secret.
func (a *app) commandLine(args ...string) string {
	words := append(strings.Fields(a.name()), args[:len(args)-1]...)
	flag := func(name string, values []string) {
		for _, v := range values {
			words = append(words, name, v)
		}
	}
	o := &a.opts
	flag("-s", o.sources)
	for _, f := range [][2]string{{"--kubeconfig", o.kubeconfig}, {"--context", o.kubeContext}, {"--hosted-cluster", o.hostedCluster}} {
		if f[1] != "" {
			words = append(words, f[0], f[1])
		}
	}
	flag("--registry-overrides", o.registryOverrides)
	flag("--insecure-registry", o.insecure)
	flag("--blocked-registry", o.blocked)
	if o.strict {
		words = append(words, "--strict")
	}
	if o.tagsFollowDigest {
		words = append(words, "--tags-follow-digest-rules")
	}
	if !o.tlsVerify {
		words = append(words, "--tls-verify=false")
	}
	words = append(words, args[len(args)-1])
	for i, w := range words {
		words[i] = quoted(w)
	}
	return strings.Join(words, " ")
}

// quoted returns s as a word for a POSIX shell.
func quoted(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("@%+=:,./_-", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
