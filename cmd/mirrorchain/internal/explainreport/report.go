// Package explainreport is the result of explain, in JSON and in sentences.
package explainreport

import (
	"fmt"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/cmd/internal/explanation"
	"github.com/mirrorchain/mirrorchain/cmd/internal/words"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider"
)

// Report is the result's JSON.
type Report struct {
	explanation.Explanation
	notices.Notices

	x          policy.Explanation
	warnings   []policy.Warning // that concern the image alone
	asked      bool             // --probe
	tagsFollow bool             // --tags-follow-digest-rules
}

// Config is what else the result depends on.
type Config struct {
	// Text is the reference as the user wrote it.
	Text string
	// Warnings are all there are; Notices holds them too.
	Warnings []policy.Warning
	Notices  notices.Notices
	// Probed says that each candidate is asked, and gets a Probe.
	Probed bool
	// TagsFollowDigestRules is that of the rules.
	TagsFollowDigestRules bool
}

// New makes the result of x.
func New(x policy.Explanation, cfg Config) *Report {
	r := &Report{
		Explanation: explanation.New(x, cfg.Text), Notices: cfg.Notices,
		x: x, asked: cfg.Probed, tagsFollow: cfg.TagsFollowDigestRules,
	}
	for _, w := range cfg.Warnings {
		if x.Concerns(w) && !w.IsGeneral() {
			r.warnings = append(r.warnings, w)
		}
	}
	return r
}

// NewProbe makes a Probe of an attempt. The digest is of the manifest, "" for none.
func NewProbe(at provider.Attempt, digest string) *explanation.Probe {
	p := &explanation.Probe{OK: at.Err == nil, Digest: digest, DurationMS: at.Took.Milliseconds(), Attempt: at}
	if at.Err != nil {
		p.Error, p.Class, p.Status = at.Err.Error(), provider.ClassOf(at.Err).String(), failure.Status(at.Err)
	}
	return p
}

// remark says what a table has no column for: what a tag names, and that nobody verified
// who answered.
func remark(p *explanation.Probe, l table.Look, c policy.Candidate) string {
	var remarks []string
	if c.Ref.Digest() == "" {
		remarks = append(remarks, l.Digest(p.Digest))
	}
	if c.Insecure {
		remarks = append(remarks, "insecure")
	}
	return strings.Join(remarks, ", ")
}

// probeText says in words what an endpoint answered.
func probeText(p *explanation.Probe) string {
	took := words.Duration(p.Attempt.Took)
	switch {
	case p.OK:
		return fmt.Sprintf("answered in %s: %s", took, p.Digest)
	case provider.ClassOf(p.Attempt.Err) == provider.ClassCanceled:
		return fmt.Sprintf("no answer within %s, before the interruption", max(took, time.Millisecond))
	}
	return fmt.Sprintf("failed after %s: %s", took, failure.Attempt(p.Attempt.Ref, p.Attempt.Err))
}
