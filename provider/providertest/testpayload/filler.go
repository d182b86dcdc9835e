package testpayload

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// filler returns the i-th manifest that nothing reads: a custom resource definition with
// prose in it, so that 800 of them compress to the size of a release's.
func filler(i int) (name string, body []byte) {
	r := rand.New(rand.NewPCG(uint64(i), 0x6d697272))
	kind := words[r.IntN(len(words))] + words[r.IntN(len(words))]
	var b strings.Builder
	fmt.Fprintf(&b, `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    include.release.openshift.io/ibm-cloud-managed: "true"
    include.release.openshift.io/self-managed-high-availability: "true"
  name: %ss.config.openshift.io
spec:
  group: config.openshift.io
  versions:
  - name: v1
    schema:
      openAPIV3Schema:
        properties:
`, kind)
	for range 5 {
		fmt.Fprintf(&b, "          %s:\n            type: string\n            description: |-\n", words[r.IntN(len(words))])
		for range 5 {
			b.WriteString("             ")
			for range 9 {
				b.WriteString(" " + words[r.IntN(len(words))])
			}
			b.WriteString(".\n")
		}
	}
	return fmt.Sprintf("0000_%02d_%s_%03d.yaml", 10+i%80, kind, i), []byte(b.String())
}

var words = strings.Fields(`access add address admission aggregate alert allow annotation apply argument assign
attach audit backend balance bind block bootstrap bound bucket build bundle cache capacity certificate change channel
check class client cluster collect command condition config connect console container content control controller copy
core count create credential daemon data default delay delete deny deploy describe detach detail disk domain drain
driver each edge empty enable encrypt endpoint ensure entry error event evict exclude expire export expose external
fail fallback feature field file filter flag flow follow force format forward from gateway global grant group handle
hash header health host idle image import include index infra ingress initial inject inspect install instance interval
issue item join keep kernel key kind label last layer lease level limit link list listen load local lock log machine
major managed map mark match maximum member memory merge metric minimum minor mirror mode monitor mount name namespace
network never node none note notify object offset only operand operator option order output override owner package
parent patch path pause peer pending period permit phase platform plugin pod policy pool port prefer prefix present
previous private probe process profile progress proxy public pull push queue quota range rate ready reason record
refer region register reject release remove render replica report request require reserve resolve resource restart
result retain retry revision role rollout root rotate route rule run scale schedule schema scope secret section select
server service session set shared signal single size skip socket source spec stable stage start state status stop
storage store strategy stream string subject suffix sync system table target task template tenant timeout token topic
total trace track traffic transfer trust type unique update upgrade user valid value verify version view volume wait
warn watch weight window work worker write zone`)
