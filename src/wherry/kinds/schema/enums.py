"""The words that a field of the built-in kinds may say, as OpenAPI lists them (`kubectl explain` prints them).

A field is named `Struct.field`, without its group, as in `merging`. Validation has its own lists: what it refuses,
and in which words, is not always what the documents say.
"""

from collections.abc import Mapping, Sequence

_OPERATORS = "DoesNotExist Exists In NotIn"
_PROFILES = "Localhost RuntimeDefault Unconfined"
_PULL_POLICIES = "Always IfNotPresent Never"
_WAYS = "Cluster Local"
_HOST_PATHS = "BlockDevice CharDevice Directory DirectoryOrCreate File FileOrCreate Socket"

_SIGNALS = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT RTMAX RTMAX-1 RTMAX-10 RTMAX-11 "
    "RTMAX-12 RTMAX-13 RTMAX-14 RTMAX-2 RTMAX-3 RTMAX-4 RTMAX-5 RTMAX-6 RTMAX-7 RTMAX-8 RTMAX-9 RTMIN RTMIN+1 RTMIN+10 "
    "RTMIN+11 RTMIN+12 RTMIN+13 RTMIN+14 RTMIN+15 RTMIN+2 RTMIN+3 RTMIN+4 RTMIN+5 RTMIN+6 RTMIN+7 RTMIN+8 RTMIN+9 SEGV "
    "STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ"
)

_WORDS: Mapping[str, str] = {
    "AppArmorProfile.type": _PROFILES,
    "AzureDiskVolumeSource.cachingMode": "None ReadOnly ReadWrite",
    "AzureDiskVolumeSource.kind": "Dedicated Managed Shared",
    "Container.imagePullPolicy": _PULL_POLICIES,
    "Container.terminationMessagePolicy": "FallbackToLogsOnError File",
    "ContainerPort.protocol": "SCTP TCP UDP",
    "CronJobSpec.concurrencyPolicy": "Allow Forbid Replace",
    "DaemonSetUpdateStrategy.type": "OnDelete RollingUpdate",
    "DeploymentStrategy.type": "Recreate RollingUpdate",
    "EndpointPort.protocol": "SCTP TCP UDP",
    "EndpointSlice.addressType": "FQDN IPv4 IPv6",
    "EphemeralContainer.imagePullPolicy": _PULL_POLICIES,
    "EphemeralContainer.terminationMessagePolicy": "FallbackToLogsOnError File",
    "HTTPGetAction.scheme": "HTTP HTTPS",
    "HTTPIngressPath.pathType": "Exact ImplementationSpecific Prefix",
    "ImageVolumeSource.pullPolicy": _PULL_POLICIES,
    "IngressPortStatus.protocol": "SCTP TCP UDP",
    "JobSpec.completionMode": "Indexed NonIndexed",
    "JobSpec.podReplacementPolicy": "Failed TerminatingOrFailed",
    "NamespaceStatus.phase": "Active Terminating",
    "NetworkPolicyPort.protocol": "SCTP TCP UDP",
    "NetworkPolicySpec.policyTypes": "Egress Ingress",
    "NodeSelectorRequirement.operator": "DoesNotExist Exists Gt In Lt NotIn",
    "NodeStatus.phase": "Pending Running Terminated",
    "PersistentVolumeClaimSpec.accessModes": "ReadOnlyMany ReadWriteMany ReadWriteOnce ReadWriteOncePod",
    "PersistentVolumeClaimSpec.volumeMode": "Block Filesystem",
    "PersistentVolumeClaimStatus.accessModes": "ReadOnlyMany ReadWriteMany ReadWriteOnce ReadWriteOncePod",
    "PersistentVolumeClaimStatus.phase": "Bound Lost Pending",
    "PodDisruptionBudgetSpec.unhealthyPodEvictionPolicy": "AlwaysAllow IfHealthyBudget",
    "PodFailurePolicyOnExitCodesRequirement.operator": "In NotIn",
    "PodFailurePolicyRule.action": "Count FailIndex FailJob Ignore",
    "PodSecurityContext.fsGroupChangePolicy": "Always OnRootMismatch",
    "PodSecurityContext.supplementalGroupsPolicy": "Merge Strict",
    "PodSpec.dnsPolicy": "ClusterFirst ClusterFirstWithHostNet Default None",
    "PodSpec.preemptionPolicy": "Never PreemptLowerPriority",
    "PodSpec.restartPolicy": "Always Never OnFailure",
    "PodStatus.phase": "Failed Pending Running Succeeded Unknown",
    "PodStatus.qosClass": "BestEffort Burstable Guaranteed",
    "PortStatus.protocol": "SCTP TCP UDP",
    "PriorityClass.preemptionPolicy": "Never PreemptLowerPriority",
    "ScopedResourceSelectorRequirement.operator": _OPERATORS,
    "SeccompProfile.type": _PROFILES,
    "SecurityContext.procMount": "Default Unmasked",
    "ServicePort.protocol": "SCTP TCP UDP",
    "ServiceSpec.externalTrafficPolicy": _WAYS,
    "ServiceSpec.internalTrafficPolicy": _WAYS,
    "ServiceSpec.ipFamilyPolicy": "PreferDualStack RequireDualStack SingleStack",
    "ServiceSpec.sessionAffinity": "ClientIP None",
    "ServiceSpec.type": "ClusterIP ExternalName LoadBalancer NodePort",
    "StatefulSetSpec.podManagementPolicy": "OrderedReady Parallel",
    "StatefulSetUpdateStrategy.type": "OnDelete RollingUpdate",
    "Taint.effect": "NoExecute NoSchedule PreferNoSchedule",
    "Toleration.effect": "NoExecute NoSchedule PreferNoSchedule",
    "Toleration.operator": "Equal Exists",
    "TopologySpreadConstraint.nodeAffinityPolicy": "Honor Ignore",
    "TopologySpreadConstraint.nodeTaintsPolicy": "Honor Ignore",
    "TopologySpreadConstraint.whenUnsatisfiable": "DoNotSchedule ScheduleAnyway",
    "VolumeMount.mountPropagation": "Bidirectional HostToContainer None",
}

ENUMS: Mapping[str, Sequence[str]] = {
    **{field: words.split() for field, words in _WORDS.items()},
    "ContainerStatus.stopSignal": [f"SIG{name}" for name in _SIGNALS.split()],
    "HostPathVolumeSource.type": ["", *_HOST_PATHS.split()],
    "Lifecycle.stopSignal": [f"SIG{name}" for name in _SIGNALS.split()],
    "ServiceSpec.ipFamilies": ["", "IPv4", "IPv6"],
}
"""Field -> words, in the order of the alphabet; of a list, those of its items."""
