package lint

import "github.com/mirrorchain/mirrorchain/policy"

// Codes of findings that package policy has no warning for. The codes of its warnings are
// codes of findings too.
const (
	Unreadable          = "unreadable"
	CRDPattern          = "crd-pattern"
	CRDLimit            = "crd-limit"
	MirrorDuplicate     = "mirror-duplicate"
	AllowedAndBlocked   = "allowed-and-blocked"
	SourceIsMirror      = "source-is-mirror"
	MirrorOfMirror      = "mirror-of-mirror"
	MirrorLoop          = "mirror-loop"
	CatchAll            = "catch-all"
	DigestHidesTag      = "digest-hides-tag"
	DigestOnlyCovered   = "digest-only-covered"
	TagOnlyCovered      = "tag-only-covered"
	ReleaseCoverage     = "release-coverage"
	ReleaseAlone        = "release-alone"
	BootImageCoverage   = "boot-image-coverage"
	OperatorCoverage    = "operator-coverage"
	NeverAllBlocked     = "never-all-mirrors-blocked"
	InsecureNotDeclared = "insecure-mirror-not-declared"
	NoPullSecret        = "no-pull-secret"
	HostedUnsupported   = "hosted-unsupported"
	NodePoolUnsupported = "nodepool-unsupported"
	Size                = "size"
)

const notTaken = "The API server refuses the object, and nothing of it comes into force."

// Kind describes all findings of one code.
type Kind struct {
	Code     string   // stable, for programs
	Severity Severity // of most of them
	Effect   string   // what happens
	Fix      string   // what to do
	// RefusedByAPI says that the API server takes no object with such a finding. A finding
	// of another kind may say so itself.
	RefusedByAPI bool
}

// Catalogue returns all kinds of findings. The slice is the caller's.
func Catalogue() []Kind {
	return []Kind{
		{Unreadable, Error, "Nothing of the file or the source can be judged, and nodes never see it.", "Mend what the message names.", false},
		{CRDPattern, Error, notTaken, "Write HOST[:PORT][/PATH] in lower case, without scheme, tag, digest or slash at the end; a source may also be *.HOST.", true},
		{CRDLimit, Error, notTaken, "Stay within the limit that the message names.", true},
		{MirrorDuplicate, Error, "The repetition is a cycle, which nodes break at the first name: the source may be tried before its mirrors.", "Name each mirror once.", false},
		{policy.WarnObjectRefused, Error, notTaken, "Write what the message says.", true},
		{AllowedAndBlocked, Error, notTaken, "Keep allowedRegistries or blockedRegistries, not both.", true},
		{policy.WarnStrictConflict, Error, "The machine-config operator renders nothing at all: nodes keep the configuration they have, and every later change of any policy is held up.", "Mend the entry that the message names.", false},
		{policy.WarnUnparsableRewrite, Error, "Every pull that would try the mirror fails before anything is contacted, whatever other mirrors there are.", "Write the mirror with a dot or a port in its host, without a port behind a bare host, and short enough for 255 characters with the rest of the image's name.", false},
		{NeverAllBlocked, Error, "Nothing is left to pull such images from.", "Remove the block, or name a mirror that is not blocked.", false},
		{ReleaseCoverage, Error, "Nodes pull these images from their own registry, which a disconnected site cannot reach.", "State mirrors for the repository.", false},
		{HostedUnsupported, Error, "A HostedCluster has no form for it: hosted clusters do not get it.", "State it where hosted clusters can read it, or leave it out.", false},
		{NodePoolUnsupported, Error, "HyperShift refuses the kind in the config of a NodePool, and the NodePool is not updated.", "State an ImageDigestMirrorSet there; tags cannot be mirrored.", false},
		{policy.WarnMisspeltKind, Error, "The API server knows no such kind, and nothing of the object is in force.", "Write the kind and the apiVersion that the message names.", false},
		{policy.WarnSeveralClusters, Error, "No image is pulled by the policies of all these clusters.", "Name the policies of one cluster.", false},

		{SourceIsMirror, Warning, "The source is tried at its place in the list, before the mirrors behind it. With NeverContactSource the machine-config operator refuses the whole set.", "Remove the source from its mirrors: it is tried last anyway.", false},
		{MirrorOfMirror, Warning, "Nodes take one step: what is pulled from the mirror is not looked up again, and the other rule does not apply to it.", "Name the place where the images are as a mirror of the first source.", false},
		{MirrorLoop, Warning, "Nodes take one step, so nothing goes round; but neither source is mirrored by the other one's mirrors.", "Name for each source the place where its images are.", false},
		{CatchAll, Warning, "All images of the registry are looked for at the mirror first, also those that it does not have.", "Name the namespaces or repositories that are mirrored.", false},
		{ReleaseAlone, Warning, "The release image is found at the mirror, and its components, which lie in other repositories, are not.", "State mirrors for the repository of the components; --release finds its name.", false},
		{BootImageCoverage, Warning, "Virtual machines of NodePools on KubeVirt cannot start at a disconnected site.", "State mirrors for the repository of the boot image.", false},
		{InsecureNotDeclared, Warning, "Nodes speak HTTPS and check the certificate; a registry with plain HTTP or a certificate of its own is not read.", "If it has plain HTTP, add it to registrySources.insecureRegistries; if it has an authority of its own, to additionalTrustedCA.", false},
		{NoPullSecret, Warning, "If the mirror asks for a login, nodes cannot pull from it.", "Add the registry to the pull secret, without a path.", false},
		{policy.WarnSourceFirst, Warning, "The source is tried before its mirrors.", "State the mirrors in one order everywhere, each of them once.", false},
		{policy.WarnNeverNoMirrors, Warning, "The entry is dropped together with its NeverContactSource: the source is contacted.", "Add a mirror, or block the source in registrySources.blockedRegistries.", false},
		{policy.WarnNeverHidden, Warning, "Images below the more specific source are pulled from the forbidden source.", "State NeverContactSource for the more specific source too.", false},
		{policy.WarnTagHidesDigest, Warning, "Images below the more specific source are pulled by digest without a mirror.", "Repeat the mirrors for digests for the more specific source.", false},
		{DigestHidesTag, Warning, "Images below the more specific source are pulled by tag without a mirror.", "Repeat the mirrors for tags for the more specific source.", false},
		{policy.WarnNoRules, Warning, "The source states nothing.", "Check that this is the right file.", false},
		{policy.WarnNotRead, Warning, "What it carries or leads to is not judged here.", "Name what it carries as a file of its own; mend a link that leads nowhere.", false},
		{policy.WarnIgnoredKey, Warning, "Nodes do not know the key: what it should say has no effect.", "Write the key as nodes know it (containers-registries.conf(5)), or remove it.", false},
		{policy.WarnDuplicateTable, Warning, "The first table counts, with its mirrors.", "Make one table of the two.", false},
		{policy.WarnDropInReplaces, Warning, "The table of the drop-in replaces all that other policies say about the source.", "State it in the drop-in too, or remove the table there.", false},
		{policy.WarnBlockedPayload, Warning, "Nodes pull from the blocked registry all the same.", "State a mirror of the release by digest, or block narrower scopes.", false},
		{policy.WarnOddScope, Warning, "Less is covered than it seems.", "Write the name as the message says.", false},
		{policy.WarnDeadScope, Warning, "No image is covered: nothing is mirrored, blocked or insecure by it.", "Write the name as the message says.", false},

		{DigestOnlyCovered, Info, "Pulls by tag, such as those of catalogs and of a release by its version, go to the source.", "Where tags are pulled, state an ImageTagMirrorSet.", false},
		{TagOnlyCovered, Info, "Pulls by digest, such as those of a release and its components, go to the source.", "Where digests are pulled, state an ImageDigestMirrorSet.", false},
		{OperatorCoverage, Info, "Catalogs are pulled by tag: an ImageDigestMirrorSet does not apply to them.", "State an ImageTagMirrorSet, or let spec.image of the CatalogSource name the mirror.", false},
		{Size, Info, "Tools split such objects or fail; the API server takes no object above 1.5 MiB.", "Name namespaces or registries in place of repositories.", false},
		{policy.WarnNotEnforced, Info, "It has no effect on lookups of mirrorchain.", "See the message.", false},
		{policy.WarnKindAbsent, Info, "The cluster has no objects of this kind.", "Nothing.", false},
	}
}

func kindOf(code string) (Kind, bool) {
	for _, k := range Catalogue() {
		if k.Code == code {
			return k, true
		}
	}
	return Kind{}, false
}
