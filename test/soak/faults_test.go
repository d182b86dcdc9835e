package soak_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testpayload"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// fault is something that goes wrong with an endpoint for a while.
type fault struct {
	name    string
	classes []provider.Class // that attempts may fail with because of it, besides a time limit
	begin   func(*endpoint) (end func())
}

var (
	unreachable = []provider.Class{provider.ClassUnreachable}
	insideTLS   = []provider.Class{provider.ClassTLS, provider.ClassUnreachable}
)

// causes says what attempts may fail with when requests of a kind go wrong. Time limits
// are not listed: a slow machine is reason enough for them. Kinds that are not listed
// do not go wrong like that.
type causes map[testregistry.Kind][]provider.Class

var (
	// Whatever is asked for: over HTTP/2 all that one connection carries.
	broken = causes{
		testregistry.Manifest: unreachable, testregistry.Blob: unreachable,
		testregistry.Storage: unreachable, testregistry.Token: unreachable,
	}
	silent = causes{testregistry.Manifest: nil, testregistry.Blob: nil, testregistry.Storage: nil, testregistry.Token: nil}
	// A manifest, by tag too, has a digest to be judged by, and so has a blob. A token
	// that has changed is another one, which the registry does not take, or no JSON.
	altered = causes{
		testregistry.Manifest: {provider.ClassDigest}, testregistry.Blob: {provider.ClassDigest}, testregistry.Storage: {provider.ClassDigest},
		testregistry.Token: {provider.ClassMalformed, provider.ClassUnauthorized},
	}
	// What may be how large is known of a blob, and of nothing else.
	endless = causes{
		testregistry.Manifest: {provider.ClassLimit}, testregistry.Blob: {provider.ClassDigest}, testregistry.Storage: {provider.ClassDigest},
		testregistry.Token: {provider.ClassMalformed},
	}
	otherManifest = causes{testregistry.Manifest: {provider.ClassDigest}}
	otherBlob     = causes{testregistry.Blob: {provider.ClassDigest}, testregistry.Storage: {provider.ClassDigest}}
)

// refusal returns the causes of a status. A realm that is not found is no image that is
// not found: nobody is let in.
func refusal(class provider.Class) causes {
	token := class
	if class == provider.ClassNotFound {
		token = provider.ClassUnauthorized
	}
	return causes{
		testregistry.Manifest: {class}, testregistry.Blob: {class}, testregistry.Storage: {class},
		testregistry.Token: {token},
	}
}

// answers makes requests go wrong, of one or more of the kinds that c lists.
func answers(r *rand.Rand, c causes, a testregistry.Action) fault {
	all := [][]testregistry.Kind{
		{testregistry.Manifest}, {testregistry.Blob, testregistry.Storage}, {testregistry.Storage}, {testregistry.Token},
		{testregistry.Manifest, testregistry.Blob, testregistry.Storage},
	}
	all = slices.DeleteFunc(all, func(kinds []testregistry.Kind) bool {
		return slices.ContainsFunc(kinds, func(k testregistry.Kind) bool { _, listed := c[k]; return !listed })
	})
	kinds := all[r.IntN(len(all))]
	f := fault{name: fmt.Sprintf("%s of %s", a, kinds), begin: func(e *endpoint) func() {
		return e.Fail(testregistry.Match{If: func(q testregistry.Request) bool { return slices.Contains(kinds, q.Kind) }}, a)
	}}
	for _, k := range kinds {
		f.classes = append(f.classes, c[k]...)
	}
	return f
}

func certificate(name string, k testregistry.CertificateKind) fault {
	return fault{name: name, classes: insideTLS, begin: func(e *endpoint) func() {
		e.Main().SetCertificate(k)
		return func() { e.Main().SetCertificate(testregistry.ValidCertificate) }
	}}
}

// statuses are answers that say no, and the class of them.
var statuses = []struct {
	class provider.Class
	codes []int
}{
	{provider.ClassUnauthorized, []int{401, 403}},
	{provider.ClassNotFound, []int{404}},
	{provider.ClassThrottled, []int{429}},
	{provider.ClassServer, []int{500, 502, 503, 504}},
}

// trouble is what may be wrong with answers, and what it leads to.
type trouble struct {
	may    causes
	action testregistry.Action
}

// troubles returns all of them but statuses. n is where in the body the trouble begins.
func troubles(n int64, other testpayload.Image) []trouble {
	return []trouble{
		{silent, testregistry.Hang()},
		{silent, testregistry.HangAfterHeader()},
		{silent, testregistry.HangAfter(n)},
		{silent, testregistry.Drip(20 * time.Millisecond)},
		{broken, testregistry.Reset()},
		{broken, testregistry.ResetAfter(n)},
		{broken, testregistry.CutOff(n)},
		{altered, testregistry.Truncate(n)},
		{altered, testregistry.FlipByte(n)},
		{endless, testregistry.Endless()},
		{otherBlob, testregistry.ServeBlob(other.Top())},
		{otherManifest, testregistry.ServeManifest(other)},
	}
}

// pick returns one of all faults, chosen by r alone.
func (s *soak) pick(r *rand.Rand) fault {
	other := s.others[r.IntN(len(s.others))]
	status := func(class provider.Class, codes ...int) fault {
		code := codes[r.IntN(len(codes))]
		a := testregistry.Status(code)
		if r.IntN(2) == 0 {
			a = testregistry.RetryLater(code, strconv.Itoa(r.IntN(2)))
		}
		return answers(r, refusal(class), a)
	}
	n := int64(r.IntN(400))
	all := []func() fault{
		func() fault {
			return fault{name: "down", classes: unreachable, begin: func(e *endpoint) func() {
				e.Down()
				return s.up(e)
			}}
		},
		func() fault {
			return fault{name: "mute", classes: unreachable, begin: func(e *endpoint) func() {
				if err := e.Mute(); err != nil {
					s.fail("muting %s: %v", e.name, err)
				}
				return s.up(e)
			}}
		},
		func() fault {
			return fault{name: "connections closed", classes: unreachable, begin: func(e *endpoint) func() {
				e.Main().CloseConnections()
				return func() {}
			}}
		},
		func() fault {
			return fault{name: "tokens void", classes: []provider.Class{provider.ClassUnauthorized}, begin: func(e *endpoint) func() {
				e.ExpireTokens()
				return e.ExpireTokens
			}}
		},
		func() fault {
			d := time.Duration(r.IntN(50)) * time.Millisecond
			return fault{name: "slow by " + d.String(), begin: func(e *endpoint) func() {
				e.SetLatency(d)
				return func() { e.SetLatency(0) }
			}}
		},
		func() fault { return certificate("unknown authority", testregistry.UnknownAuthority) },
		func() fault { return certificate("expired certificate", testregistry.Expired) },
		func() fault { return certificate("certificate of another", testregistry.WrongName) },
	}
	for _, t := range troubles(n, other) {
		all = append(all, func() fault { return answers(r, t.may, t.action) })
	}
	for _, st := range statuses {
		all = append(all, func() fault { return status(st.class, st.codes...) })
	}
	return all[r.IntN(len(all))]()
}

func (s *soak) up(e *endpoint) func() {
	return func() {
		if err := e.Up(); err != nil {
			s.fail("bringing %s up: %v", e.name, err)
		}
	}
}

// disturb makes faults come to e and go, until stop is closed. Then there are none.
func (s *soak) disturb(e *endpoint, r *rand.Rand, stop <-chan struct{}) {
	for {
		f := s.pick(r)
		rest, last := upTo(r, 200*time.Millisecond), upTo(r, 700*time.Millisecond)
		if !wait(rest, stop) {
			return
		}
		s.journal.note("%s: %s for %s", e.name, f.name, last)
		s.active.Add(1)
		e.faults.begin(f)
		end := f.begin(e)
		s.count("faults")
		wait(last, stop)
		end()
		e.faults.end(0)
		s.active.Add(-1)
		s.journal.note("%s: no more %s", e.name, f.name)
	}
}

func upTo(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most))).Round(time.Microsecond)
}

// wait waits, and reports whether it was not stopped.
func wait(d time.Duration, stop <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-stop:
		return false
	}
}
