// Package verifyreport is the result of release verify: which signatures a release has, and
// whether the cluster-version operator and nodes would accept it.
package verifyreport

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/mirrorchain/mirrorchain/chain/node"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/failure"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/notices"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/output"
	"github.com/mirrorchain/mirrorchain/cmd/mirrorchain/internal/signedreport"
	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/verify"
	"github.com/mirrorchain/mirrorchain/provider/verify/sigstore"
)

// What has to sign.
const (
	GPG      = "gpg"      // the cluster-version operator asks for it
	Sigstore = "sigstore" // nodes ask for it
	Both     = "both"
	Any      = "any" // one of them is enough, and neither may be bad
)

// What came of a check.
const (
	Good    = "good"
	Bad     = "bad"     // there are signatures, and none is accepted
	Missing = "missing" // there is no signature
	Failed  = "failed"  // nobody knows
	Passed  = "passed"  // the endpoint does not have the image: nodes go on to the next one
)

// Report is the result's JSON.
type Report struct {
	Image    string    `json:"image"`
	Digest   string    `json:"digest"`
	Instance string    `json:"instance"` // the manifest of the platform, "" where no registry was asked
	Require  string    `json:"require"`
	Status   string    `json:"status"` // of all, as the exit code has it
	Keyrings []Keyring `json:"keyrings"`
	Checks   []Check   `json:"checks"`
	// RegistriesD is the folder that says where nodes look for signatures; "" if it is
	// assumed that they do on every mirror.
	RegistriesD string `json:"registriesD"`
	// From are the folders and archives that were read in place of registries; "" for none.
	From string `json:"from"`
	// Nodes says whether nodes would accept the release, "" where no image policy was
	// asked about.
	Nodes string `json:"nodes"`
	// Components are the signatures of every image of the release; null where nobody asked.
	Components *signedreport.Signatures `json:"components"`
	notices.Notices

	componentsCode int
}

// Keyring is one of those that have to sign.
type Keyring struct {
	Name string `json:"name"`
	Keys []Key  `json:"keys"`
}

// Key is one that may sign.
type Key struct {
	Fingerprint string `json:"fingerprint"`
	Name        string `json:"name"`
}

// Check is one signature, or the lack of one.
type Check struct {
	Kind     string     `json:"kind"` // GPG or Sigstore
	Status   string     `json:"status"`
	At       string     `json:"at"`     // the store, or the endpoint
	Mirror   bool       `json:"mirror"` // At is a mirror
	Policy   string     `json:"policy"` // the keyring, or the image policy with its scope
	Signer   string     `json:"signer"`
	Key      string     `json:"key"`
	Signed   *time.Time `json:"signed"` // null where the signature has no time that is verified
	Identity string     `json:"identity"`
	Origin   string     `json:"origin"` // the place in the store
	Error    string     `json:"error"`  // "" if good
	Hint     string     `json:"hint"`
	Notes    []string   `json:"notes"`

	code   int
	goesOn bool // nodes ask the next endpoint
}

// New makes a report without checks. Its Notices are the caller's to fill in.
func New(image, require string) *Report {
	return &Report{Image: image, Require: require, Keyrings: []Keyring{}, Checks: []Check{}, Notices: notices.New(nil, nil)}
}

// AddKeyrings says which keys are trusted.
func (r *Report) AddKeyrings(trust verify.Trust) {
	for _, k := range trust.Keyrings() {
		out := Keyring{Name: k.Name(), Keys: []Key{}}
		for _, key := range k.Keys() {
			out.Keys = append(out.Keys, Key{key.Fingerprint, key.Name})
		}
		r.Keyrings = append(r.Keyrings, out)
	}
}

// AddGPG adds what [verify.Trust.Verify] returned. remote says which stores are on the
// network: that they fail may change.
func (r *Report) AddGPG(v verify.Verdict, err error, remote func(store string) bool) {
	for _, s := range v.Signers {
		signed := s.Created.UTC()
		r.Checks = append(r.Checks, Check{
			Kind: GPG, Status: Good, At: s.Store, Policy: s.Keyring, Signer: s.Key.Name, Key: cmp.Or(s.Subkey, s.Key.Fingerprint),
			Signed: &signed, Identity: s.Identity, Origin: s.Origin, Notes: []string{},
		})
	}
	if err == nil {
		last := &r.Checks[len(r.Checks)-1]
		last.Notes = append(last.Notes, v.Notes...)
		return
	}
	c := Check{Kind: GPG, Status: Failed, Error: err.Error(), Notes: []string{}, code: failure.Code(err)}
	if e, ok := errors.AsType[*verify.Error](err); ok {
		c.Policy = strings.Join(e.Missing, ", ")
		c.Error, c.Status, c.code = gpgWords(e), Missing, failure.ExitNotFound
		for _, s := range e.Stores {
			if _, ok := errors.AsType[*fs.PathError](s.Err); ok {
				c.Status, c.code = Failed, failure.Worse(c.code, failure.ExitFailed)
			}
			if remote(s.Store) {
				code := failure.Code(s.Err)
				if code == failure.ExitFailed {
					code = failure.ExitUnreachable // of no class: it may change
				}
				c.Status, c.code = Failed, failure.Worse(c.code, code)
			}
		}
		if len(e.Rejected) > 0 {
			c.Status, c.code = Bad, failure.ExitDigest
		}
	}
	r.Checks = append(r.Checks, c)
}

// gpgWords says why there is no good signature.
func gpgWords(e *verify.Error) string {
	var why []string
	for _, x := range e.Rejected {
		why = append(why, fmt.Sprintf("%s: %v", x.Origin, x.Err))
	}
	for _, s := range e.Stores {
		why = append(why, fmt.Sprintf("%s: %v", strings.TrimSuffix(s.Store, ":"), s.Err))
	}
	if len(e.Rejected) == 0 {
		why = append([]string{verify.ErrNoSignature.Error()}, why...)
	}
	return strings.Join(why, "; ")
}

// AddEndpoint adds what a node would find at an endpoint. goesOn says that the node would
// ask another one. If the endpoint did not say that it lacks the image, it may serve it
// later, and nobody knows whether it has the signature.
func (r *Report) AddEndpoint(e node.Endpoint, required []sigstore.Requirement, goesOn bool) {
	if e.Instance != "" {
		r.Instance = e.Instance
	}
	c := Check{
		Kind: Sigstore, Status: Good, At: e.Ref.Name(), Mirror: e.Mirror, Policy: e.Scope, Hint: e.Hint, Notes: []string{}, goesOn: goesOn,
	}
	if r.From != "" {
		c.At = r.From
	}
	if e.Err == nil {
		for i, a := range e.Accepted { // in the order of required
			one := c
			one.Policy, one.Identity, one.Origin = a.Origin+" ("+e.Scope+")", a.Identity, sigstore.Tag(e.Instance)
			one.Signer, one.Key = signer(required[i])
			r.Checks = append(r.Checks, one)
		}
		return
	}
	c.code, c.Error = failure.Code(e.Err), failure.Attempt(e.Ref, e.Err)
	refused, isRefused := errors.AsType[*sigstore.Error](e.Err)
	if isRefused {
		c.Policy = refused.Policy + " (" + e.Scope + ")"
	}
	rejected, isRejected := errors.AsType[*node.RejectedError](e.Err)
	switch {
	case isRejected:
		c.Status, c.code, c.Error = Bad, failure.ExitForbidden, rejected.Reason()
	case goesOn && provider.ClassOf(e.Err) == provider.ClassNotFound:
		c.Status, c.code = Passed, failure.ExitOK
	case errors.Is(e.Err, sigstore.ErrNoSignature):
		c.Status, c.code = Missing, failure.ExitNotFound
		if c.Error = refused.Unread; c.Error == "" {
			c.Error = fmt.Sprintf("%s has no %s", c.At, sigstore.Tag(e.Instance))
		}
	case isRefused:
		var why []string
		for _, err := range refused.Errs {
			why = append(why, err.Error())
		}
		c.Status, c.code, c.Error = Bad, failure.ExitDigest, strings.Join(why, "; ")
	case e.Stage == node.Instance:
		c.Status, c.Error = Failed, "it has the list, and not the image of this platform; nodes ask no other endpoint: "+c.Error
	default:
		c.Status = Failed
	}
	r.Checks = append(r.Checks, c)
}

// AddComponents adds what is known of the signatures of every image. code says whether the
// images themselves are there.
func (r *Report) AddComponents(s *signedreport.Signatures, code int) {
	r.Components, r.componentsCode = s, failure.Worse(code, s.Code())
}

// signer says who has to sign, and with which key.
func signer(r sigstore.Requirement) (name, key string) {
	switch {
	case r.Fulcio != nil:
		return r.Fulcio.Email + " (" + r.Fulcio.OIDCIssuer + ")", ""
	case r.PKI != nil:
		return strings.Trim(r.PKI.Email+" "+r.PKI.Hostname, " "), ""
	}
	der, err := x509.MarshalPKIXPublicKey(r.PublicKey)
	if err != nil {
		return "", ""
	}
	sum := sha256.Sum256(der)
	return "", "sha256:" + hex.EncodeToString(sum[:])
}

// Conclude says whether nodes would accept the release, where a check asked for that, and
// sets the status of all. nodes names the nodes.
func (r *Report) Conclude(nodes string) {
	r.Status = map[int]string{failure.ExitOK: Good, failure.ExitDigest: Bad, failure.ExitNotFound: Missing}[r.Code()]
	if r.Status == "" {
		r.Status = Failed
	}
	if r.Components != nil { // the release image is one of these
		r.Nodes = r.Components.Nodes
		return
	}
	r.Nodes = conclusion(nodes, r.From, slices.DeleteFunc(slices.Clone(r.Checks), func(c Check) bool { return c.Kind != Sigstore }))
}

// conclusion is the answer of sigstore checks, "" for none. disk is [Report.From].
func conclusion(nodes, disk string, checks []Check) string {
	if len(checks) == 0 {
		return ""
	}
	from, answer := signedreport.From(disk), "yes"
	var passedOver, why []string
	for _, c := range checks {
		if c.Mirror && c.Status != Passed {
			from = "these mirrors"
		}
		switch {
		case c.Status == Failed && c.goesOn:
			passedOver = append(passedOver, c.reason())
		case c.Status == Failed && answer == "yes":
			answer = "unknown"
		case c.Status == Missing, c.Status == Bad:
			answer = "no"
		}
		if c.Error != "" && c.Status != Passed && !c.goesOn {
			why = append(why, c.reason())
		}
	}
	switch {
	case len(passedOver) == 0:
	case answer == "unknown":
		why = append(passedOver, why...)
	default:
		verb := map[string]string{"yes": "accept", "no": "refuse"}[answer]
		answer = fmt.Sprintf("unknown, because %s; until that changes, nodes take it from %s and %s it",
			strings.Join(passedOver, "; "), checks[len(checks)-1].At, verb)
	}
	if len(why) > 0 {
		answer += ", because " + strings.Join(why, "; ")
	}
	return fmt.Sprintf("%s would accept this release from %s: %s", nodes, from, answer)
}

// Assumed reports whether a good verdict rests on nodes looking for signatures on a mirror,
// and no registries.d says so.
func (r *Report) Assumed() bool {
	return r.RegistriesD == "" && (r.Components == nil || !r.Components.Assumed()) &&
		slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Kind == Sigstore && c.Mirror && c.Status == Good })
}

// reason returns the error with the endpoint, which it may name already.
func (c *Check) reason() string {
	if strings.HasPrefix(c.Error, c.At) {
		return c.Error
	}
	return c.At + ": " + c.Error
}

// Code returns the exit code.
func (r *Report) Code() int {
	codes := map[string]int{}
	for _, c := range r.Checks {
		codes[c.Kind] = failure.Worse(codes[c.Kind], c.code)
		if c.Status == Bad && r.Require == Any {
			return failure.ExitDigest
		}
	}
	if r.Components != nil {
		codes[Sigstore] = failure.Worse(codes[Sigstore], r.componentsCode)
		if r.Components.Refused() && r.Require == Any {
			return failure.ExitDigest
		}
	}
	if r.Require != Any {
		return failure.Worse(codes[GPG], codes[Sigstore])
	}
	code := failure.ExitOK
	for _, c := range codes {
		if c == failure.ExitOK {
			return c
		}
		code = failure.Worse(code, c)
	}
	return code
}

var _ output.JUnitReport = (*Report)(nil)
