package main

// hold is one line of what holds when things break.
type hold struct {
	id, breaks, holds string
	shown             []string
}

// holds returns R1 to R13 and R15 of the targets. They have no figures: tests show them.
func holds() []hold {
	return []hold{
		{"R1", "mirror: connection refused, reset, TLS unknown authority, expired certificate, DNS failure",
			"next candidate; the error of each attempt is in the result and, if all fail, in the error",
			[]string{
				"chain.TestMirrorFaults/refused", "chain.TestMirrorFaults/reset", "chain.TestMirrorFaults/unknown_authority",
				"chain.TestMirrorFaults/expired", "chain.TestMirrorFaults/wrong_name", "chain.TestMirrorDoesNotResolve",
				"provider/registry.TestConnections",
			}},
		{"R2", "mirror: 401, 403, 404, 429 with Retry-After, 500, 502, 503, 504",
			"next candidate; when none is left, 429 and 5xx are retried within the deadline, Retry-After honoured",
			[]string{"chain.TestMirrorFaults", "provider/registry.TestStatuses", "chain.TestRetryOverTheWire", "chain.TestRetryAfterOverTheWire", "chain.TestMirrorsRetries"}},
		{"R3", "mirror hangs before the header, after the header, in the middle of a blob; drips",
			"time limits end the attempt; next candidate",
			[]string{
				"chain.TestMirrorFaults/accepts_and_is_silent", "chain.TestMirrorFaults/hangs_before_the_header", "chain.TestMirrorFaults/hangs_after_the_header",
				"chain.TestMirrorFaults/hangs_in_the_layer", "chain.TestMirrorFaults/drips", "provider/registry.TestHangs",
			}},
		{"R4", "blob truncated, one byte flipped, another blob served, wrong manifest under the digest, index child swapped",
			"never believed; next candidate; the mirror is named in the error",
			[]string{
				"chain.TestMirrorFaults/truncated_layer", "chain.TestMirrorFaults/flipped_byte", "chain.TestMirrorFaults/another_blob",
				"chain.TestMirrorFaults/wrong_manifest", "chain.TestMirrorSwapsIndexChild", "provider/registry.TestTampered",
			}},
		{"R5", "manifest present, release layer missing on that mirror",
			"next candidate for the whole release",
			[]string{"chain.TestMirrorFaults/no_layer_for_the_release", "chain.TestImagesMoveOn/layer_missing"}},
		{"R6", "gzip bomb, tar entry of 10 GB, 10 million entries, path with `..`, endless manifest",
			"a limit with a clear error, memory bounded; nothing written outside",
			[]string{
				"provider/registry.TestLimits/gzip_bomb", "provider/registry.TestLimits/zstd_bomb", "provider/registry.TestDefaultLimit",
				"provider/registry.TestTenMillionEntries", "provider/registry.TestLimits/a_way_out", "provider/registry.TestLimits/endless_manifest",
				"cmd/internal/ignition/filecache.TestStaysInside",
			}},
		{"R7", "policies: unparsable, not UTF-8, half-written; 250,000 bytes; 10,000 sources",
			"the last good rules stay in force, the error names file, object and entry; size alone is no error",
			[]string{
				"sources/file.TestResolverKeepsLastGood", "sources/file.TestLoadErrors", "sources/file.TestLargeFile", "sources/file.TestHandoverIsFollowed",
				"sources/internal/objects.TestDecodeInvalid/not_UTF-8", "sources.TestResolverKeepsLastGood", "sources.TestResolverOneBadEdit",
			}},
		{"R8", "API server away at start, away later, CRD absent, CRD installed later, CRD removed, watch expired, forbidden",
			"starts, follows and recovers; lookups say ErrNoRules until then; readiness and a metric say so",
			[]string{
				"sources/idms.TestCluster", "sources/icsp.TestCluster", "sources/itms.TestCluster", "sources/imageconfig.TestCluster",
				"sources.TestResolverAwayAtStart", "chain.TestNoRulesYet", "sources/metrics.TestAway", "cmd/internal/operator.TestReadiness",
				"cmd/internal/knownissues.TestD33KindsComeAndGo", "cmd/internal/ignition/controller.TestR8APIServerAway",
				"cmd/internal/hostedcluster.TestR8APIServerAway",
			}},
		{"R9", "pull secret malformed, missing, rotated",
			"a clear error naming the secret; the new one is used from the next lookup",
			[]string{
				"chain.TestRotatedPullSecret", "chain.TestMalformedPullSecret", "provider.TestMalformedPullSecret",
				"cmd/internal/hostedcluster.TestPullSecret", "cmd/internal/ignition/controller.TestServer/R9PullSecret",
			}},
		{"R10", "credentials",
			"sent only to the registry and path they belong to, and to the HTTPS realm which that registry's own challenge names; to no other host, not on redirect, not in a log, an error, a metric or `-v`",
			[]string{
				"provider/registry.TestCredentialsStayHome", "provider/registry.TestRedirects", "provider/registry.TestPlainRealmElsewhere",
				"provider/registry.TestRealmOfAnotherTenant", "provider/registry.TestErrorsTellNoSecrets", "provider/registry.TestObserveTellsNoSecrets",
				"provider.TestRedacted", "provider/diskcache.TestKeysStaySecret", "test/cli.TestScripts/auth",
				"chain.TestMirrorCredentialsShareNothing", "cmd/internal/hostedcluster.TestHostileTenantGetsNoCredential",
				"test/e2e.TestTenants",
			}},
		{"R11", "process killed at any moment while writing its cache",
			"the next start reads the cache or ignores it; never a wrong release",
			[]string{"provider/diskcache.TestKilledAtEachStep", "provider/diskcache.TestKilledAtAnyMoment", "chain.TestDiskDamage"}},
		{"R12", "source forbidden (NeverContactSource)",
			"not one packet to it, from any code path, tag resolution and hedging included, in the CLI and all three binaries",
			[]string{
				"chain.TestForbiddenSource", "chain.TestMirrorFaults", "chain.TestUnhealthyMirrorsForbiddenSource", "provider/registry.TestLedToForbidden",
				"cmd/internal/knownissues.TestD7NeverContactSource", "cmd/internal/hostedcontrolplane.TestOperator/NeverContactSource",
				"cmd/internal/hostedcluster.TestR12NeverContactSource", "cmd/internal/ignition/controller.TestServer/R12NeverContactSource",
				"test/cli.TestScripts/failures", "cmd/internal/ignition/payload.TestClients", "policy.TestForbids",
				"cmd/internal/mirrorchoice.TestNothingIsOpened", "cmd/internal/hostedcluster.TestManagementMirrors",
				"test/e2e.TestTenants",
			}},
		{"R13", "a registry of a tenant that is slow, silent or hostile",
			"it holds no worker, no memory and no connection that another tenant needs; nobody looks around in the management cluster through it",
			[]string{
				"cmd/internal/hostedcluster.TestLookupsOfOneTenantHoldUpNobody", "cmd/internal/hostedcluster.TestSilentRegistryHoldsUpNobody",
				"cmd/internal/hostedcluster.TestRulesPassBusyWorkers", "cmd/internal/hostedcluster.TestRolloutTakesTurns", "cmd/internal/hostedcluster.TestRetryAfterHoldsNoWorker",
				"cmd/internal/hostedcluster.TestArchitectureIsAskedOnce", "provider/registry.TestRealmOfAnotherTenant",
				"provider/registry.TestPromisedBytesTakeNothing", "provider/registry.TestLargeManifestsTakeTurns",
				"provider/registry.TestHideElsewhere", "provider/registry.TestRefuseNetworks", "provider/registry.TestRefuseNetworksElsewhere",
			}},
		{"R15", "one bad entry, certificate or annotation among good ones",
			"it is left out and named; the rest works",
			[]string{
				"cmd/internal/trust.TestParseBundle", "cmd/internal/hostedcluster.TestOddEntryOfPullSecret", "cmd/internal/hostedcontrolplane.TestOptions",
				"sources.TestResolverOneBadEdit", "cmd/internal/hostedcontrolplane.TestImageOverrides",
			}},
	}
}
