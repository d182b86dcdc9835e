package main

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
)

// programName is what a person types, unless the program is a plugin of another.
const programName = "mirrorchain"

// invoked returns how a person called the program, "kubectl mirrorchain" for example, and
// the command line of that call. The name of the file decides: kubectl and oc run
// kubectl-NAME and oc-NAME, and kubectl_complete-NAME for the completion of its words.
func invoked(file string, args []string) (name string, line []string) {
	switch strings.TrimSuffix(filepath.Base(file), ".exe") {
	case "kubectl-" + programName:
		return "kubectl " + programName, args
	case "oc-" + programName:
		return "oc " + programName, args
	case "kubectl_complete-" + programName:
		return "kubectl " + programName, append([]string{cobra.ShellCompRequestCmd}, args...)
	case "oc_complete-" + programName:
		return "oc " + programName, append([]string{cobra.ShellCompRequestCmd}, args...)
	}
	return programName, args
}

// name returns what a person types in front of a command.
func (a *app) name() string {
	if a.sys.Name == "" {
		return programName
	}
	return a.sys.Name
}

// namedCommand matches this program's name where a command line begins in a text: at the
// start of an indented line, after a quote, a parenthesis, a pipe or &&, or as a command for copying.
var namedCommand = regexp.MustCompile(`(?m)(^[ \t]+|['(]|\| |&& |: )` + programName + ` `)

// asTyped puts the name that was typed into the command lines of a text.
func (a *app) asTyped(text string) string {
	if a.name() == programName {
		return text
	}
	return namedCommand.ReplaceAllString(text, "${1}"+a.name()+" ")
}

// nameCommands makes the help of cmd and of its subcommands show the name that was typed.
func (a *app) nameCommands(cmd *cobra.Command) {
	if a.name() == programName {
		return
	}
	cmd.Long, cmd.Example = a.asTyped(cmd.Long), a.asTyped(cmd.Example)
	named := func(f *pflag.Flag) { f.Usage = a.asTyped(f.Usage) }
	cmd.PersistentFlags().VisitAll(named)
	cmd.Flags().VisitAll(named)
	for _, c := range cmd.Commands() {
		a.nameCommands(c)
	}
}

// noScript says how the words of a plugin are completed. A shell completes only what it is
// itself called to run.
func (a *app) noScript() error {
	if a.name() == programName {
		return nil
	}
	host := strings.TrimSuffix(a.name(), " "+programName)
	return failure.Usagef("%s completes the words of its plugins itself: link %s_complete-%s in $PATH to this program", host, host, programName)
}
