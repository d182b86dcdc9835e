package hostedcluster

import (
	"strings"

	hyperv1 "github.com/openshift/hypershift/api/hypershift/v1beta1"

	"github.com/mirrorchain/mirrorchain/cmd/internal/hypershift"
	"github.com/mirrorchain/mirrorchain/cmd/internal/mirrorchoice"
)

// handedDown are annotations of a HostedCluster that its control plane reads: ours, and
// HyperShift's own (reconcileHostedControlPlaneAnnotations).
var handedDown = [...]string{
	hyperv1.ControlPlaneOperatorImageAnnotation,
	hyperv1.ImageOverridesAnnotation,
	hyperv1.RestartDateAnnotation,
	hyperv1.SkipReleaseImageValidation,
	mirrorchoice.Mirrors,
	mirrorchoice.Scopes,
	hypershift.AnnotationMirrorCredentials,

	hyperv1.APICriticalPriorityClass,
	hyperv1.AWSKMSProviderImage,
	hyperv1.AWSLoadBalancerHealthProbeModeAnnotation,
	hyperv1.AWSLoadBalancerSubnetsAnnotation,
	hyperv1.AWSLoadBalancerTargetNodesAnnotation,
	hyperv1.AWSMachinePublicIPs,
	hyperv1.AzureLoadBalancerHealthProbeModeAnnotation,
	hyperv1.CertifiedOperatorsCatalogImageAnnotation,
	hyperv1.CleanupCloudResourcesAnnotation,
	hyperv1.ClusterAutoscalerImage,
	hyperv1.CommunityOperatorsCatalogImageAnnotation,
	hyperv1.ControlPlanePriorityClass,
	hyperv1.DisableIgnitionServerAnnotation,
	hyperv1.DisableMachineManagement,
	hyperv1.DisablePKIReconciliationAnnotation,
	hyperv1.DisableProfilingAnnotation,
	hyperv1.EnsureExistsPullSecretReconciliation,
	hyperv1.EtcdPriorityClass,
	hyperv1.HostedClusterRestoredFromBackupAnnotation,
	hyperv1.IBMCloudKMSProviderImage,
	hyperv1.IngressControllerLoadBalancerScope,
	hyperv1.KonnectivityAgentImageAnnotation,
	hyperv1.KonnectivityServerImageAnnotation,
	hyperv1.KubeAPIServerGOGCAnnotation,
	hyperv1.KubeAPIServerGOMemoryLimitAnnotation,
	hyperv1.KubeAPIServerGoAwayChance,
	hyperv1.KubeAPIServerMaximumMutatingRequestsInFlight,
	hyperv1.KubeAPIServerMaximumRequestsInFlight,
	hyperv1.KubeAPIServerVerbosityLevelAnnotation,
	hyperv1.ManagementPlatformAnnotation,
	hyperv1.OLMCatalogsISRegistryOverridesAnnotation,
	hyperv1.OauthLoginURLOverrideAnnotation,
	hyperv1.PortierisImageAnnotation,
	hyperv1.PrivateIngressControllerAnnotation,
	hyperv1.RedHatMarketplaceCatalogImageAnnotation,
	hyperv1.RedHatOperatorsCatalogImageAnnotation,
	hyperv1.RequestServingNodeAdditionalSelectorAnnotation,
	hyperv1.SharedLoadBalancerHealthProbePathAnnotation,
	hyperv1.SharedLoadBalancerHealthProbePortAnnotation,
	hyperv1.TopologyAnnotation,
	// Without a name in this version of the API.
	"hypershift.openshift.io/aws-karpenter-default-instance-profile",
	"hypershift.openshift.io/aws-termination-handler-queue-url",
	"hypershift.openshift.io/debug-deployments",
	"hypershift.openshift.io/enable-metrics-forwarding",
	"hypershift.openshift.io/karpenter-operator-image",
	"hypershift.openshift.io/karpenter-provider-aws-image",
	"hypershift.openshift.io/kube-apiserver-service-account-token-max-expiration",
	"hypershift.openshift.io/swift-pod-network-instance",
}

// handedDownBegin are how others begin, which end with the name of what they are about.
var handedDownBegin = [...]string{
	hyperv1.IdentityProviderOverridesAnnotationPrefix,
	hyperv1.ResourceRequestOverrideAnnotationPrefix,
}

// handDown copies the annotations of a HostedCluster that its control plane reads.
func handDown(from, to map[string]string) {
	for _, name := range handedDown {
		if v, ok := from[name]; ok {
			to[name] = v
		}
	}
	for name, v := range from {
		for _, begin := range handedDownBegin {
			if strings.HasPrefix(name, begin) {
				to[name] = v
			}
		}
	}
}
