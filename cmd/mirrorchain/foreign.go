package main

import (
	"errors"

	"github.com/spf13/pflag"
)

// foreignFlag is a flag of oc that has another name or another meaning here. It is not
// listed. Its error says what to give instead.
type foreignFlag struct{ instead string }

func (foreignFlag) String() string     { return "" }
func (f foreignFlag) Set(string) error { return errors.New(f.instead) }
func (foreignFlag) Type() string       { return "" }
func registerForeign(f *pflag.FlagSet) {
	for name, instead := range map[string]string{
		"idms-file":    "that is oc's flag; here policies of every kind are given with -s FILE",
		"icsp-file":    "that is oc's flag; here policies of every kind are given with -s FILE",
		"insecure":     "that is oc's flag; here it is --insecure-registry SCOPE for one registry, or --tls-verify=false for all",
		"filter-by-os": "that is oc's flag; here it is --arch OS/ARCH",
	} {
		f.Var(foreignFlag{instead}, name, "")
		flag := f.Lookup(name)
		flag.Hidden = true
		if name == "insecure" {
			flag.NoOptDefVal = "true"
		}
	}
}
