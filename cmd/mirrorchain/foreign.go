package main

import (
	"errors"

	"github.com/spf13/pflag"
)

// foreignFlag is a flag of oc or skopeo that has another name or another meaning here. It
// is not listed. Its error says what to give instead.
type foreignFlag struct{ instead string }

func (foreignFlag) String() string     { return "" }
func (f foreignFlag) Set(string) error { return errors.New(f.instead) }
func (foreignFlag) Type() string       { return "" }

// What several flags of oc are answered with.
const (
	policiesInstead = "that is oc's flag; here policies of every kind are given with -s FILE"
	archInstead     = "here it is --arch OS/ARCH"
	clusterInstead  = "here a cluster is chosen with --kubeconfig and --context"
	noGit           = "that is oc's flag, for git; here 'mirrorchain release diff --commits' links to the changes"
	noPackages      = "that is oc's flag, for packages, which are not read here; 'mirrorchain image files' prints any file of an image"
	diskInstead     = "that is oc's flag, for file:// images; here --from PATH reads what is on disk, where a command has it"
	alwaysVerified  = "that is oc's flag; here every byte is verified by its digest, always"
)

// foreignFlags are flags that take a value, and foreignSwitches those that take none.
var (
	foreignFlags = map[string]string{
		"idms-file":          policiesInstead,
		"icsp-file":          policiesInstead,
		"filter-by-os":       "that is oc's flag; " + archInstead,
		"changes-from":       "that is oc's flag; here it is 'mirrorchain release diff FROM TO'",
		"changelog":          noGit,
		"bugs":               noGit,
		"dir":                diskInstead,
		"template":           "that is oc's flag; here the template stands in -o go-template=TEMPLATE",
		"max-per-registry":   "that is oc's flag; here 'mirrorchain release check' has --per-registry N",
		"rpmdb-cache":        noPackages,
		"rpmdb-image":        noPackages,
		"request-timeout":    "that is oc's flag; here it is --timeout",
		"server":             clusterInstead,
		"token":              clusterInstead,
		"user":               clusterInstead,
		"cluster":            clusterInstead,
		"as":                 clusterInstead,
		"client-certificate": clusterInstead,
		"client-key":         clusterInstead,
		"namespace":          "that is oc's flag; nothing here is in a namespace, but HostedClusters: --hosted-cluster NAMESPACE/NAME",
		"override-arch":      "that is skopeo's flag; " + archInstead,
		"override-os":        "that is skopeo's flag; " + archInstead,
		"creds":              "that is skopeo's flag; others can read a command line, so credentials are given with --authfile FILE",
		"format":             "that is skopeo's flag; here it is -o go-template=TEMPLATE",
	}
	foreignSwitches = map[string]string{
		"insecure":                    "that is oc's flag; here it is --insecure-registry SCOPE for one registry, or --tls-verify=false for all",
		"insecure-skip-tls-verify":    "that is oc's flag, for the API server, whose certificate is verified here; for registries it is --tls-verify=false",
		"allow-missing-template-keys": "that is oc's flag; here a name that the result does not have is an error",
		"include-images":              "that is oc's flag; here -o json has every image",
		"keep-manifest-list":          "that is oc's flag; here -o json has the digest of the index and, with --arch, that of the entry",
		"show-multiarch":              "that is oc's flag; here -o json of 'mirrorchain release info' lists the platforms of an index",
		"rpmdb":                       noPackages,
		"rpmdb-diff":                  noPackages,
		"skip-bug-check":              noGit,
		"skip-verification":           alwaysVerified,
		"verify":                      "that is oc's flag; here 'mirrorchain release verify' checks signatures",
		"raw":                         "that is skopeo's flag; here -o json has all there is",
	}
)

func registerForeign(f *pflag.FlagSet) {
	add := func(name, instead string) *pflag.Flag {
		f.Var(foreignFlag{instead}, name, "")
		flag := f.Lookup(name)
		flag.Hidden = true
		return flag
	}
	for name, instead := range foreignFlags {
		add(name, instead)
	}
	for name, instead := range foreignSwitches {
		add(name, instead).NoOptDefVal = "true"
	}
}
