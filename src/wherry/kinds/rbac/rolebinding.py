"""RoleBinding and ClusterRoleBinding: who may do it."""

from collections.abc import Iterator, Sequence

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE
from wherry.kinds.defaults import fill, items, section
from wherry.kinds.kind import Cell, Column, Kind
from wherry.kinds.rbac.role import GROUP
from wherry.objects import Obj, names
from wherry.objects.field_errors import invalid, required


def default(obj: Obj) -> None:
    fill(section(obj, "roleRef"), "apiGroup", GROUP)
    for subject in items(obj, "subjects"):
        if subject.get("kind") in ("User", "Group"):
            fill(subject, "apiGroup", GROUP)


def validate_role_binding(obj: Obj) -> Errors:
    yield from _reference(obj, ("Role", "ClusterRole"))
    for index, subject in enumerate(items(obj, "subjects")):
        yield from _subject(f"subjects[{index}]", subject, namespaced=True)


def validate_cluster_role_binding(obj: Obj) -> Errors:
    yield from _reference(obj, ("ClusterRole",))
    for index, subject in enumerate(items(obj, "subjects")):
        yield from _subject(f"subjects[{index}]", subject, namespaced=False)


def validate_update(new: Obj, old: Obj) -> Errors:
    if new.get("roleRef") != old.get("roleRef"):
        yield invalid("roleRef", new.get("roleRef"), "cannot change roleRef")


def _reference(obj: Obj, kinds: Sequence[str]) -> Errors:
    role = obj.get("roleRef") or {}
    yield from checks.supported("roleRef.apiGroup", role.get("apiGroup", ""), (GROUP,))
    yield from checks.supported("roleRef.kind", role.get("kind", ""), kinds)
    yield from checks.required_name("roleRef.name", role.get("name"), names.path_segment)


def _subject(path: str, subject: Obj, *, namespaced: bool) -> Errors:
    kind, name, group = subject.get("kind", ""), subject.get("name", ""), subject.get("apiGroup") or ""
    if not name:
        yield required(f"{path}.name")
    if kind == "ServiceAccount":
        if name:
            yield from checks.named(f"{path}.name", name, names.dns1123_subdomain)
        yield from checks.supported(f"{path}.apiGroup", group, ("",))
        if not namespaced and not subject.get("namespace"):
            yield required(f"{path}.namespace")
    elif kind in ("User", "Group"):
        yield from checks.supported(f"{path}.apiGroup", group, (GROUP,))
    else:
        yield from checks.supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))


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
    validate=validate_role_binding,
    validate_update=validate_update,
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
    validate=validate_cluster_role_binding,
    validate_update=validate_update,
    validate_name=names.path_segment,
    columns=_COLUMNS,
    create_on_update=True,
    generation=False,
)
