"""Formats of built-in fields that the compiled models lose: widths of integers, bytes, the values of maps.

Read when the package is built only (`compile.py`). A field is named `Struct.field`, without its group, as in `merging`.
"""

from collections.abc import Mapping

PACKAGES: Mapping[str, str] = {
    "meta_v1": "io.k8s.apimachinery.pkg.apis.meta.v1",
    "apiextensions_v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiregistration_v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
    "resource": "io.k8s.apimachinery.pkg.api.resource",
    "util_intstr": "io.k8s.apimachinery.pkg.util.intstr",
    "version": "io.k8s.apimachinery.pkg.version",
    "runtime": "io.k8s.apimachinery.pkg.runtime",
}
"""Module of the models -> prefix of its definitions, where that is not `io.k8s.api.{group}.{version}`."""

ALIASES: Mapping[str, str] = {
    "Quantity": "quantity",
    "IntOrString": "int-or-string",
    "Time": "date-time",
    "MicroTime": "micro-time",
    "RawExtension": "raw",
    "FieldsV1": "raw",
    "Patch": "raw",
    "CustomResourceSubresourceStatus": "raw",
    "StorageVersionSpec": "raw",
    "JSON": "any",
    "JSONSchemaPropsOrArray": "any",
    "JSONSchemaPropsOrBool": "any",
    "JSONSchemaPropsOrStringArray": "any",
}
"""Definitions that are no structs -> what they are; `raw` is an object whose content is free, `any` any value."""

INT64 = """
    CSIDriverSpec.nodeAllocatableUpdatePeriodSeconds Condition.observedGeneration ContainerImage.sizeBytes
    ControllerRevision.revision CronJobSpec.startingDeadlineSeconds DaemonSetStatus.observedGeneration
    DeleteOptions.gracePeriodSeconds DeploymentStatus.observedGeneration DeviceAttribute.int DeviceRequest.count
    DeviceSubRequest.count DeviceToleration.tolerationSeconds ExactDeviceRequest.count
    HorizontalPodAutoscalerStatus.observedGeneration JSONSchemaProps.maxItems JSONSchemaProps.maxLength
    JSONSchemaProps.maxProperties JSONSchemaProps.minItems JSONSchemaProps.minLength JSONSchemaProps.minProperties
    JobSpec.activeDeadlineSeconds LinuxContainerUser.gid LinuxContainerUser.uid LinuxContainerUser.supplementalGroups
    ListMeta.remainingItemCount NodeSwapStatus.capacity ObjectMeta.deletionGracePeriodSeconds ObjectMeta.generation
    PodCondition.observedGeneration PodDisruptionBudgetStatus.observedGeneration PodSecurityContext.fsGroup
    PodSecurityContext.runAsGroup PodSecurityContext.runAsUser PodSecurityContext.supplementalGroups
    PodSpec.activeDeadlineSeconds PodSpec.terminationGracePeriodSeconds PodStatus.observedGeneration
    Probe.terminationGracePeriodSeconds ReplicaSetStatus.observedGeneration
    ReplicationControllerStatus.observedGeneration ResourcePool.generation ResourcePool.resourceSliceCount
    SecurityContext.runAsGroup SecurityContext.runAsUser ServiceAccountTokenProjection.expirationSeconds
    SleepAction.seconds StatefulSetStatus.observedGeneration StorageVersionCondition.observedGeneration
    TokenRequest.expirationSeconds TokenRequestSpec.expirationSeconds Toleration.tolerationSeconds
    ValidatingAdmissionPolicyStatus.observedGeneration"""
"""Integers of 64 bits; every other one has 32."""

BYTES = """
    APIServiceSpec.caBundle CertificateSigningRequestSpec.request CertificateSigningRequestStatus.certificate
    PodCertificateRequestSpec.pkixPublicKey PodCertificateRequestSpec.proofOfPossession WebhookClientConfig.caBundle"""
"""Strings that carry base64."""

MAP_VALUES: Mapping[str, str] = {
    "byte": "ConfigMap.binaryData Secret.data",
    "[string": "CertificateSigningRequestSpec.extra SubjectAccessReviewSpec.extra UserInfo.extra",
    "meta_v1.Time": "PodDisruptionBudgetStatus.disruptedPods",
    "resource.Quantity": """
        CapacityRequirements.requests ContainerStatus.allocatedResources DeviceRequestAllocationResult.consumedCapacity
        LimitRangeItem.default LimitRangeItem.defaultRequest LimitRangeItem.max LimitRangeItem.maxLimitRequestRatio
        LimitRangeItem.min NodeStatus.allocatable NodeStatus.capacity Overhead.podFixed
        PersistentVolumeClaimStatus.allocatedResources PersistentVolumeClaimStatus.capacity
        PersistentVolumeSpec.capacity PodSpec.overhead ResourceQuotaSpec.hard ResourceQuotaStatus.hard
        ResourceQuotaStatus.used ResourceRequirements.limits ResourceRequirements.requests
        VolumeResourceRequirements.limits VolumeResourceRequirements.requests""",
    "JSONSchemaProps": "JSONSchemaProps.definitions JSONSchemaProps.patternProperties JSONSchemaProps.properties",
    "JSONSchemaPropsOrStringArray": "JSONSchemaProps.dependencies",
    "Counter": "CounterSet.counters DeviceCounterConsumption.counters",
    "DeviceAttribute": "BasicDevice.attributes Device.attributes",
    "DeviceCapacity": "BasicDevice.capacity Device.capacity",
}
"""What a map holds, in the models' words; every other map holds strings."""
