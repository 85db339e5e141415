"""How lists and maps of built-in kinds merge: facts of the API that the compiled models do not carry.

Read when the package is built only (`compile.py`). A field is named `Struct.field`, without its group: the same struct
merges alike in every group and version. A list that is not named here is atomic; so is every patch without a strategy.
"""

from collections.abc import Mapping

LIST_MAPS: Mapping[str, str] = {
    "name": """
        CSINodeSpec.drivers Container.env ContainerStatus.allocatedResourcesStatus EphemeralContainer.env
        MutatingAdmissionPolicySpec.matchConditions MutatingWebhook.matchConditions
        MutatingWebhookConfiguration.webhooks PodSpec.containers PodSpec.ephemeralContainers PodSpec.imagePullSecrets
        PodSpec.initContainers PodSpec.resourceClaims PodSpec.schedulingGates PodSpec.volumes
        PodStatus.resourceClaimStatuses ResourceRequirements.claims ServiceAccount.secrets
        ValidatingAdmissionPolicySpec.matchConditions ValidatingAdmissionPolicySpec.variables
        ValidatingWebhook.matchConditions ValidatingWebhookConfiguration.webhooks""",
    "type": """
        APIServiceStatus.conditions AllocatedDeviceStatus.conditions CertificateSigningRequestStatus.conditions
        ComponentStatus.conditions CustomResourceDefinitionStatus.conditions DaemonSetStatus.conditions
        DeploymentStatus.conditions FlowSchemaStatus.conditions HorizontalPodAutoscalerStatus.conditions
        NamespaceStatus.conditions NodeStatus.addresses NodeStatus.conditions PersistentVolumeClaimStatus.conditions
        PodCertificateRequestStatus.conditions PodDisruptionBudgetStatus.conditions PodStatus.conditions
        PriorityLevelConfigurationStatus.conditions ReplicaSetStatus.conditions
        ReplicationControllerStatus.conditions ServiceCIDRStatus.conditions ServiceStatus.conditions
        StatefulSetStatus.conditions StorageVersionMigrationList.items StorageVersionMigrationStatus.conditions
        StorageVersionStatus.conditions ValidatingAdmissionPolicyStatus.conditions""",
    "ip": "PodSpec.hostAliases PodStatus.podIPs",
    "uid": "ObjectMeta.ownerReferences ResourceClaimStatus.reservedFor",
    "rule": "JSONSchemaProps.x-kubernetes-validations",
    "apiServerID": "StorageVersionStatus.storageVersions",
    "resourceID": "ResourceStatus.resources",
    "devicePath": "Container.volumeDevices EphemeralContainer.volumeDevices",
    "mountPath": "Container.volumeMounts ContainerStatus.volumeMounts EphemeralContainer.volumeMounts",
    "containerPort,protocol": "Container.ports EphemeralContainer.ports",
    "port,protocol": "ServiceSpec.ports",
    "topologyKey,whenUnsatisfiable": "PodSpec.topologySpreadConstraints",
    "driver,device,pool,shareID": "ResourceClaimStatus.devices",
}
"""`x-kubernetes-list-map-keys` -> the fields with `x-kubernetes-list-type: map`."""

LIST_SETS = """
    CSIDriverSpec.volumeLifecycleModes ContainerRestartRuleOnExitCodes.values Endpoint.addresses NodeSpec.podCIDRs
    NonResourcePolicyRule.nonResourceURLs NonResourcePolicyRule.verbs ObjectMeta.finalizers
    PodFailurePolicyOnExitCodesRequirement.values ResourcePolicyRule.apiGroups ResourcePolicyRule.namespaces
    ResourcePolicyRule.resources ResourcePolicyRule.verbs ServerStorageVersion.decodableVersions
    ServerStorageVersion.servedVersions UncountedTerminatedPods.failed UncountedTerminatedPods.succeeded
    ValidatingAdmissionPolicyBindingSpec.validationActions"""
"""Fields with `x-kubernetes-list-type: set`."""

UNMARKED_LISTS = "APIResource.verbs"
"""Lists without any `x-kubernetes-list-type`, beside the items of list kinds. They are atomic, too."""

KEY_DEFAULTS: Mapping[str, str] = {"protocol": "TCP"}
"""What a key of a list map stands for when an item leaves it out."""

ATOMIC_STRUCTS = """
    ConfigMapKeySelector CrossVersionObjectReference@autoscaling.v1 EndpointAddress EndpointPort FileKeySelector
    LabelSelector LocalObjectReference MatchResources NamedRuleWithOperations NodeSelector NodeSelectorTerm
    ObjectFieldSelector ObjectReference OwnerReference ParamKind ParamRef ResourceFieldSelector RoleRef ScopeSelector
    SecretKeySelector SecretReference ServiceBackendPort Subject@rbac.v1 TopologySelectorTerm
    TypedLocalObjectReference Variable@admissionregistration.v1 Variable@admissionregistration.v1beta1"""
"""Structs owned as a whole (`x-kubernetes-map-type: atomic`); `@` names the group where others differ."""

ATOMIC_MAPS = "PodSpec.nodeSelector ReplicationControllerSpec.selector Scheduling.nodeSelector ServiceSpec.selector"
"""Maps owned as a whole."""

GRANULAR_FIELDS = "PersistentVolumeClaimStatus.allocatedResourceStatuses PersistentVolumeSpec.claimRef"
"""Fields said to be granular; for `claimRef` it overrules its struct."""

PATCHES: Mapping[str, str] = {
    "merge:name": """
        CSINodeSpec.drivers Container.env ContainerStatus.allocatedResourcesStatus EphemeralContainer.env
        MutatingAdmissionPolicySpec.matchConditions MutatingWebhook.matchConditions
        MutatingWebhookConfiguration.webhooks PodSpec.containers PodSpec.ephemeralContainers PodSpec.imagePullSecrets
        PodSpec.initContainers PodSpec.schedulingGates ServiceAccount.secrets
        ValidatingAdmissionPolicySpec.matchConditions ValidatingAdmissionPolicySpec.variables
        ValidatingWebhook.matchConditions ValidatingWebhookConfiguration.webhooks""",
    "merge,retainKeys:name": "PodSpec.resourceClaims PodSpec.volumes PodStatus.resourceClaimStatuses",
    "merge:type": """
        APIServiceStatus.conditions ComponentStatus.conditions DaemonSetStatus.conditions DeploymentStatus.conditions
        FlowSchemaStatus.conditions HorizontalPodAutoscalerStatus.conditions JobStatus.conditions
        NamespaceStatus.conditions NodeStatus.addresses NodeStatus.conditions PersistentVolumeClaimStatus.conditions
        PodCertificateRequestStatus.conditions PodDisruptionBudgetStatus.conditions PodStatus.conditions
        PriorityLevelConfigurationStatus.conditions ReplicaSetStatus.conditions
        ReplicationControllerStatus.conditions ServiceCIDRStatus.conditions ServiceStatus.conditions
        StatefulSetStatus.conditions StorageVersionMigrationList.items StorageVersionMigrationStatus.conditions""",
    "merge:containerPort": "Container.ports EphemeralContainer.ports",
    "merge:devicePath": "Container.volumeDevices EphemeralContainer.volumeDevices",
    "merge:mountPath": "Container.volumeMounts ContainerStatus.volumeMounts EphemeralContainer.volumeMounts",
    "merge:ip": "PodSpec.hostAliases PodStatus.hostIPs PodStatus.podIPs",
    "merge:topologyKey": "PodSpec.topologySpreadConstraints",
    "merge:port": "ServiceSpec.ports",
    "merge:uid": "ObjectMeta.ownerReferences ResourceClaimStatus.reservedFor",
    "merge:rule": "JSONSchemaProps.x-kubernetes-validations",
    "merge:": "NodeSpec.podCIDRs ObjectMeta.finalizers",
    "replace:": "PodDisruptionBudgetSpec.selector",
    "retainKeys:": "DeploymentSpec.strategy",
}
"""Patch strategies and merge key, as `strategy[,strategy]:key` -> fields."""
