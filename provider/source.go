package provider

import (
	"regexp"
	"strings"
)

// Source is what a component was built from, as its annotations state it.
type Source struct {
	// Repository is an address such as "https://github.com/openshift/etcd", "" if not
	// stated (io.openshift.build.source-location).
	Repository string
	// Commit is the commit's ID, "" if not stated (io.openshift.build.commit.id).
	Commit string
}

// Source returns what the component was built from.
func (c Component) Source() Source {
	return Source{
		Repository: strings.TrimSuffix(c.Annotations["io.openshift.build.source-location"], "/"),
		Commit:     c.Annotations["io.openshift.build.commit.id"],
	}
}

// URL returns the address at which a browser shows the commit. It is "" for a repository
// that is not on github.com, and for a commit that is no hexadecimal number.
func (s Source) URL() string {
	if !s.onGitHub() {
		return ""
	}
	return s.Repository + "/commit/" + s.Commit
}

// CompareURL returns the address at which a browser shows what changed between two
// commits. It is "" for commits of different repositories, and where [Source.URL] is.
func CompareURL(from, to Source) string {
	if from.Repository != to.Repository || !from.onGitHub() || !to.onGitHub() {
		return ""
	}
	return to.Repository + "/compare/" + from.Commit + "..." + to.Commit
}

func (s Source) onGitHub() bool {
	return onGitHub.MatchString(s.Repository) && commitID.MatchString(s.Commit)
}

var (
	onGitHub = regexp.MustCompile(`^https://github\.com/[\w.-]+/[\w.-]+$`)
	commitID = regexp.MustCompile(`^[0-9a-f]{7,64}$`)
)
