package explainreport

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/table"
	"github.com/mirrorchain/mirrorchain/policy"
	"github.com/mirrorchain/mirrorchain/provider/imageref"
)

// Names of policies and objects cannot forge a line.
func TestForeignTextIsOneLine(t *testing.T) {
	const forged = "Would be tried:"
	rules, err := policy.NewRules(policy.RulesConfig{}, policy.Policy{
		Rules: []policy.Rule{{Source: "quay.io/a", Origin: "idms/x\n" + forged + "\u202e#1", Mirrors: []policy.Mirror{{Location: "mirror.corp/a"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	x, err := rules.Explain(imageref.MustParse("quay.io/a/b@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
	if err != nil {
		t.Fatal(err)
	}
	e := New(x, Config{Text: "quay.io/a/b", Warnings: rules.Warnings(), Notices: notices.New(rules.Warnings(), nil)})
	var out bytes.Buffer
	e.Text(&out, table.Look{})
	if strings.Contains(out.String(), "\n"+forged) || strings.Contains(out.String(), "\u202e") || !strings.Contains(out.String(), `idms/x\n`+forged+`\u202e#1`) {
		t.Error(out.String())
	}
	if len(e.Candidates) != 2 || !e.Candidates[0].Mirror || e.Pull != "digest" || e.Why != "the only source that matches" {
		t.Errorf("%+v", e)
	}
}
