package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/internal/editdistance"
)

// group runs a command that only holds others.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		cmd.SetOut(cmd.ErrOrStderr())
		if err := cmd.Help(); err != nil {
			return err
		}
		return &failure.Reported{Code: failure.ExitUsage}
	}
	if instead := otherVerbs[strings.TrimPrefix(cmd.CommandPath(), cmd.Root().DisplayName())+" "+args[0]]; instead != "" {
		return failure.Usagef("'%s' has no command %q: %s", cmd.CommandPath(), args[0], instead)
	}
	if s := nearest(args[0], cmd.SuggestionsFor(args[0])); len(s) > 0 {
		return failure.Usagef("unknown command %q for '%s'; did you mean %s?", args[0], cmd.CommandPath(), strings.Join(s, " or "))
	}
	return failure.Usagef("unknown command %q for '%s'", args[0], cmd.CommandPath())
}

// badFlag puts an error of reading flags into words.
func badFlag(cmd *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok || len(unknown.GetSpecifiedName()) < 2 { // of one letter every other is near
		return failure.Usagef("%w", err)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && editdistance.Levenshtein(unknown.GetSpecifiedName(), f.Name) <= 2 {
			names = append(names, f.Name)
		}
	})
	if near := nearest(unknown.GetSpecifiedName(), names); len(near) > 0 {
		return failure.Usagef("%w; did you mean --%s?", err, strings.Join(near, " or --"))
	}
	return failure.Usagef("%w", err)
}

// nearest returns those of names with the least distance to name. A name that starts with
// it has none.
func nearest(name string, names []string) []string {
	var best []string
	least := len(name)
	for _, n := range names {
		d := editdistance.Levenshtein(strings.ToLower(name), n)
		if strings.HasPrefix(n, name) {
			d = 0
		}
		if d < least {
			best, least = nil, d
		}
		if d == least {
			best = append(best, n)
		}
	}
	return best
}

// What this program does not do.
const (
	copiesNothing = "this program copies nothing; 'mirrorchain release check' says what is missing on the mirrors, and 'oc image mirror' or oc-mirror copy it"
	makesNothing  = "this program reads images and makes none"
)

// otherVerbs are commands of oc, skopeo and crane, and what to use here, by command path
// and name.
var otherVerbs = map[string]string{
	" adm":     "leave the word out: 'mirrorchain release info'",
	" oc":      "leave the word out",
	" info":    "'mirrorchain release info' is for releases",
	" verify":  "'mirrorchain release verify' is for signatures",
	" diff":    "'mirrorchain release diff' compares releases",
	" extract": "'mirrorchain release extract' is for releases, 'mirrorchain image files' for any image",
	" probe":   "'mirrorchain explain --probe' asks every endpoint",
	" mirror":  copiesNothing,
	" copy":    copiesNothing,
	" inspect": "'mirrorchain release info' prints what is in a release, 'mirrorchain image digest' the digest of any image",
	" digest":  "'mirrorchain image digest' prints it",
	" ls":      "'mirrorchain image tags' lists tags",
	" tags":    "'mirrorchain image tags' lists tags",
	" files":   "'mirrorchain image files' prints files of an image",

	" release mirror": copiesNothing,
	" release new":    makesNothing,
	" release tags":   "'mirrorchain image tags' lists tags",

	" image info":    "'mirrorchain image digest' prints the digest, 'mirrorchain explain --probe' asks every endpoint, and 'mirrorchain release info' prints what is in a release",
	" image extract": "'mirrorchain image files' prints files, or writes them with --to",
	" image mirror":  copiesNothing,
	" image append":  makesNothing,
	" image ls":      "'mirrorchain image tags' lists tags",
	" image inspect": "'mirrorchain image digest' prints the digest, 'mirrorchain explain --probe' asks every endpoint",
}
