"""Role and ClusterRole: what may be done."""

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.defaults import items
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, names
from wherry.objects.field_errors import invalid, required

GROUP = "rbac.authorization.k8s.io"


def _created(obj: Obj) -> Cell:
    return str(obj["metadata"].get("creationTimestamp", ""))


_COLUMNS = (Column(name="Created At", type="date", cell=_created, description="When it was created."),)


def validate_role(obj: Obj) -> Errors:
    for index, rule in enumerate(items(obj, "rules")):
        yield from _rule(f"rules[{index}]", rule, namespaced=True)


def validate_cluster_role(obj: Obj) -> Errors:
    for index, rule in enumerate(items(obj, "rules")):
        yield from _rule(f"rules[{index}]", rule, namespaced=False)
    if obj.get("aggregationRule") is None:
        return
    path, chosen = "aggregationRule.clusterRoleSelectors", list(items(obj["aggregationRule"], "clusterRoleSelectors"))
    if not chosen:
        yield required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
    for index, selector in enumerate(chosen):
        wrong = list(checks.label_selector(f"{path}[{index}]", selector))
        yield from wrong
        if wrong:
            yield invalid(f"{path}[{index}]", None, "invalid label selector.")


def _rule(path: str, rule: Obj, *, namespaced: bool) -> Errors:
    if not rule.get("verbs"):
        yield required(f"{path}.verbs", "verbs must contain at least one value")
    urls = rule.get("nonResourceURLs")
    if urls:
        at = f"{path}.nonResourceURLs"
        if namespaced:
            yield invalid(at, urls, "namespaced rules cannot apply to non-resource URLs")
        if any(rule.get(field) for field in ("apiGroups", "resources", "resourceNames")):
            yield invalid(at, urls, "rules cannot apply to both regular resources and non-resource URLs")
        return
    if not rule.get("apiGroups"):
        yield required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.get("resources"):
        yield required(f"{path}.resources", "resource rules must supply at least one resource")


ROLE = Kind(
    group=GROUP,
    version="v1",
    kind="Role",
    plural="roles",
    schema="io.k8s.api.rbac.v1.Role",
    validate=validate_role,
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
    validate=validate_cluster_role,
    validate_name=names.path_segment,
    columns=_COLUMNS,
    create_on_update=True,
    generation=False,
)
