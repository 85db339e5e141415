"""Role and ClusterRole: what may be done."""

from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, names

GROUP = "rbac.authorization.k8s.io"


def _created(obj: Obj) -> Cell:
    return str(obj["metadata"].get("creationTimestamp", ""))


_COLUMNS = (Column(name="Created At", type="date", cell=_created, description="When it was created."),)

ROLE = Kind(
    group=GROUP,
    version="v1",
    kind="Role",
    plural="roles",
    schema="io.k8s.api.rbac.v1.Role",
    validate_name=names.path_segment,
    columns=_COLUMNS,
    create_on_update=True,
    generation=False,
)

CLUSTERROLE = Kind(
    group=GROUP,
    version="v1",
    kind="ClusterRole",
    plural="clusterroles",
    schema="io.k8s.api.rbac.v1.ClusterRole",
    namespaced=False,
    validate_name=names.path_segment,
    columns=_COLUMNS,
    create_on_update=True,
    generation=False,
)
