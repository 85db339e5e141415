"""RoleBinding and ClusterRoleBinding: who may do it."""

from collections.abc import Iterator

from wherry.kinds.columns import AGE
from wherry.kinds.defaults import fill, items
from wherry.kinds.kind import Cell, Column, Kind
from wherry.kinds.rbac.role import GROUP
from wherry.objects import Obj, names


def default(obj: Obj) -> None:
    if obj.get("roleRef") is not None:
        fill(obj["roleRef"], "apiGroup", GROUP)
    for subject in items(obj, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            fill(subject, "apiGroup", GROUP)


def _role(obj: Obj) -> Cell:
    role = obj.get("roleRef") or {}
    return f"{role.get('kind', '')}/{role.get('name', '')}"


def _subjects(obj: Obj, kind: str) -> Iterator[Obj]:
    return (subject for subject in items(obj, "subjects") if subject.get("kind") == kind)


def _users(obj: Obj) -> Cell:
    return ", ".join(subject.get("name", "") for subject in _subjects(obj, "User"))


def _groups(obj: Obj) -> Cell:
    return ", ".join(subject.get("name", "") for subject in _subjects(obj, "Group"))


def _accounts(obj: Obj) -> Cell:
    return ", ".join(f"{one.get('namespace', '')}/{one.get('name', '')}" for one in _subjects(obj, "ServiceAccount"))


_COLUMNS = (
    Column(name="Role", cell=_role, description="What is granted."),
    AGE,
    Column(name="Users", cell=_users, wide=True, description="Users it is granted to."),
    Column(name="Groups", cell=_groups, wide=True, description="Groups it is granted to."),
    Column(name="ServiceAccounts", cell=_accounts, wide=True, description="Service accounts it is granted to."),
)

ROLEBINDING = Kind(
    group=GROUP,
    version="v1",
    kind="RoleBinding",
    plural="rolebindings",
    schema="io.k8s.api.rbac.v1.RoleBinding",
    default=default,
    validate_name=names.path_segment,
    columns=_COLUMNS,
    create_on_update=True,
    generation=False,
)

CLUSTERROLEBINDING = Kind(
    group=GROUP,
    version="v1",
    kind="ClusterRoleBinding",
    plural="clusterrolebindings",
    schema="io.k8s.api.rbac.v1.ClusterRoleBinding",
    namespaced=False,
    default=default,
    validate_name=names.path_segment,
    columns=_COLUMNS,
    create_on_update=True,
    generation=False,
)
