"""All built-in kinds, and how to find one."""

from collections.abc import Mapping
from types import MappingProxyType

from wherry.kinds.apps.controllerrevision import CONTROLLERREVISION
from wherry.kinds.apps.deployment import DEPLOYMENT
from wherry.kinds.apps.replicaset import REPLICASET
from wherry.kinds.authentication.reviews import SELFSUBJECTREVIEW, TOKENREVIEW
from wherry.kinds.authorization.reviews import (
    LOCALSUBJECTACCESSREVIEW,
    SELFSUBJECTACCESSREVIEW,
    SELFSUBJECTRULESREVIEW,
    SUBJECTACCESSREVIEW,
)
from wherry.kinds.coordination.lease import LEASE
from wherry.kinds.core.configmap import CONFIGMAP
from wherry.kinds.core.endpoints import ENDPOINTS
from wherry.kinds.core.event import EVENT
from wherry.kinds.core.namespace import NAMESPACE
from wherry.kinds.core.node import NODE
from wherry.kinds.core.pod import POD
from wherry.kinds.core.secret import SECRET
from wherry.kinds.core.service import SERVICE
from wherry.kinds.core.serviceaccount import SERVICEACCOUNT
from wherry.kinds.discovery.endpointslice import ENDPOINTSLICE
from wherry.kinds.kind import Kind
from wherry.kinds.rbac.role import CLUSTERROLE, ROLE
from wherry.kinds.rbac.rolebinding import CLUSTERROLEBINDING, ROLEBINDING
from wherry.kinds.scheduling.priorityclass import PRIORITYCLASS

KINDS: tuple[Kind, ...] = (
    CONFIGMAP,
    ENDPOINTS,
    EVENT,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE,
    SERVICEACCOUNT,
    CONTROLLERREVISION,
    DEPLOYMENT,
    REPLICASET,
    SELFSUBJECTREVIEW,
    TOKENREVIEW,
    LOCALSUBJECTACCESSREVIEW,
    SELFSUBJECTACCESSREVIEW,
    SELFSUBJECTRULESREVIEW,
    SUBJECTACCESSREVIEW,
    LEASE,
    ENDPOINTSLICE,
    CLUSTERROLE,
    CLUSTERROLEBINDING,
    ROLE,
    ROLEBINDING,
    PRIORITYCLASS,
)

BY_ID: Mapping[str, Kind] = MappingProxyType({kind.id: kind for kind in KINDS})
"""By GroupKind in Kubernetes' spelling: `Pod`, `Deployment.apps`."""

_BY_ROUTE: Mapping[tuple[str, str, str], Kind] = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}
_BY_API: Mapping[tuple[str, str], Kind] = {(kind.api_version, kind.kind): kind for kind in KINDS}


def by_route(group: str, version: str, plural: str) -> Kind | None:
    """The kind behind `/apis/{group}/{version}/{plural}`; the core group is ""."""
    return _BY_ROUTE.get((group, version, plural))


def by_api(api_version: str, kind: str) -> Kind | None:
    """The kind that an object says it is of."""
    return _BY_API.get((api_version, kind))
