package soak_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/mirrorchain/mirrorchain/provider"
	"github.com/mirrorchain/mirrorchain/provider/providertest/testregistry"
)

// fault is something that goes wrong with an endpoint for a while.
type fault struct {
	name    string
	classes []provider.Class // that attempts fail with because of it; a time limit can always be one
	begin   func(*endpoint) (end func())
}

var (
	unreachable = []provider.Class{provider.ClassUnreachable}
	insideTLS   = []provider.Class{provider.ClassTLS, provider.ClassUnreachable}
	// What is not what it should be: a manifest by tag has no digest that was asked for.
	untrue = []provider.Class{provider.ClassDigest, provider.ClassMalformed, provider.ClassNotFound}
)

// answers makes requests go wrong, of manifests, of blobs or both.
func answers(r *rand.Rand, classes []provider.Class, a testregistry.Action) fault {
	kinds := [][]testregistry.Kind{
		{testregistry.Manifest}, {testregistry.Blob, testregistry.Storage},
		{testregistry.Manifest, testregistry.Blob, testregistry.Storage},
	}[r.IntN(3)]
	return answersOf(kinds, classes, a)
}

func answersOf(kinds []testregistry.Kind, classes []provider.Class, a testregistry.Action) fault {
	return fault{name: a.String() + " of " + string(kinds[0]), classes: classes, begin: func(e *endpoint) func() {
		return e.Fail(testregistry.Match{If: func(q testregistry.Request) bool { return slices.Contains(kinds, q.Kind) }}, a)
	}}
}

func certificate(name string, k testregistry.CertificateKind) fault {
	return fault{name: name, classes: insideTLS, begin: func(e *endpoint) func() {
		e.Main().SetCertificate(k)
		return func() { e.Main().SetCertificate(testregistry.ValidCertificate) }
	}}
}

// pick is one of all faults, chosen by r alone.
func (s *soak) pick(r *rand.Rand) fault {
	other := s.others[r.IntN(len(s.others))]
	status := func(classes provider.Class, codes ...int) fault {
		code, kind := codes[r.IntN(len(codes))], []testregistry.Kind{testregistry.Manifest, testregistry.Blob, testregistry.Token}[r.IntN(3)]
		a := testregistry.Status(code)
		if r.IntN(2) == 0 {
			a = testregistry.RetryLater(code, strconv.Itoa(r.IntN(2)))
		}
		return answersOf([]testregistry.Kind{kind}, []provider.Class{classes}, a)
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
		func() fault { return status(provider.ClassUnauthorized, 401, 403) },
		func() fault { return status(provider.ClassNotFound, 404) },
		func() fault { return status(provider.ClassThrottled, 429) },
		func() fault { return status(provider.ClassServer, 500, 502, 503, 504) },
		func() fault { return answers(r, nil, testregistry.Hang()) },
		func() fault { return answers(r, nil, testregistry.HangAfterHeader()) },
		func() fault { return answers(r, nil, testregistry.HangAfter(n)) },
		func() fault { return answers(r, nil, testregistry.Drip(20*time.Millisecond)) },
		func() fault { return answers(r, unreachable, testregistry.Reset()) },
		func() fault { return answers(r, unreachable, testregistry.ResetAfter(n)) },
		func() fault { return answers(r, unreachable, testregistry.CutOff(n)) },
		func() fault { return answers(r, untrue, testregistry.Truncate(n)) },
		func() fault { return answers(r, untrue, testregistry.FlipByte(n)) },
		func() fault {
			return answersOf([]testregistry.Kind{testregistry.Blob, testregistry.Storage}, untrue, testregistry.ServeBlob(other.Top()))
		},
		func() fault {
			return answersOf([]testregistry.Kind{testregistry.Manifest}, untrue, testregistry.ServeManifest(other))
		},
		func() fault {
			return answersOf([]testregistry.Kind{testregistry.Manifest}, []provider.Class{provider.ClassLimit}, testregistry.Endless())
		},
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

// disturb has faults come to e and go, until stop is closed. Then there are none.
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
