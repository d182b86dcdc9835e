package named

import "testing"

const root = "../../.."

func TestSplit(t *testing.T) {
	for name, want := range map[string][3]string{
		"chain.TestA":                  {"chain", "TestA", ""},
		"provider/registry.TestA/b_c":  {"provider/registry", "TestA", "b_c"},
		"test/cli.TestScripts/a/b":     {"test/cli", "TestScripts", "a/b"},
		"test/peers.BenchmarkA/n=1000": {"test/peers", "BenchmarkA", "n=1000"},
	} {
		if a, b, c := Split(name); [3]string{a, b, c} != want {
			t.Errorf("%s: %q, want %q", name, [3]string{a, b, c}, want)
		}
	}
}

func TestCheck(t *testing.T) {
	s := NewSource(root)
	for name, there := range map[string]bool{
		"internal/test/named.TestCheck":           true,
		"internal/test/named.TestCheck/a_subtest": true,  // as a literal, here
		"internal/test/named.TestSplit/a_subtest": false, // there
		"chain.BenchmarkWarm":                     true,
		"test/cli.TestScripts/failures":           true, // a script
		"internal/test/named.TestNobodyWroteThis": false,
		"internal/test/named.NewSource":           false, // no test
		"internal/test/named.TestMain":            false,
		"chain.TestMirrorFaults/nobody_wrote_it":  false,
		"no/such/folder.TestCheck":                false,
	} {
		if err := s.Check(name); (err == nil) != there {
			t.Errorf("%s: %v, want that it is there: %t", name, err, there)
		}
	}
	_ = "a subtest"
}
