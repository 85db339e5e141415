"""Node: a machine that runs pods."""

from copy import deepcopy

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, NONE, UNKNOWN, path
from wherry.kinds.core import podspec, scheduling_checks
from wherry.kinds.kind import Cell, Column, Kind
from wherry.objects import Obj, quantities
from wherry.objects.field_errors import duplicate, forbidden, invalid

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE_LABEL = "kubernetes.io/role"


def default(obj: Obj) -> None:
    _pair_cidrs(obj.get("spec") or {})
    status = obj.get("status") or {}
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = deepcopy(status["capacity"])
    for part in ("capacity", "allocatable"):
        podspec.round_up(status.get(part))


def _pair_cidrs(spec: Obj) -> None:
    """`podCIDR` is the first of `podCIDRs`; where a client says both and they differ, the one counts."""
    first, every = spec.get("podCIDR"), spec.get("podCIDRs") or []
    if first and every[:1] != [first]:
        spec["podCIDRs"] = [first]
    elif every and not first:
        spec["podCIDR"] = every[0]


def validate(obj: Obj) -> Errors:
    yield from scheduling_checks.taints("metadata.taints", obj.get("spec") or {})  # upstream's path
    for index, cidr in enumerate((obj.get("spec") or {}).get("podCIDRs") or ()):
        yield from checks.cidr(f"spec.podCIDRs[{index}]", cidr)
    if len(_versions(obj)) > len(set(_versions(obj))):
        cidrs = obj["spec"]["podCIDRs"]
        yield invalid("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family")
    status = obj.get("status") or {}
    for part in ("capacity", "allocatable"):
        for name, text in (status.get(part) or {}).items():
            amount = quantities.parse(text)
            if amount.nano < 0:
                yield invalid(f"status.{part}.{name}", str(amount), "must be greater than or equal to 0")


def _versions(obj: Obj) -> list[bool]:
    """Of each pod range, whether it is IPv6."""
    return [":" in cidr for cidr in (obj.get("spec") or {}).get("podCIDRs") or ()]


def validate_update(new: Obj, old: Obj) -> Errors:
    seen: list[Obj] = []
    for index, address in enumerate((new.get("status") or {}).get("addresses") or ()):
        if address in seen:
            yield duplicate(f"status.addresses[{index}]", address)
        seen.append(address)
    after, before = new.get("spec") or {}, old.get("spec") or {}
    if before.get("podCIDRs") and after.get("podCIDRs") != before["podCIDRs"]:
        yield forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')
    if before.get("providerID") and after.get("providerID") != before["providerID"]:
        yield forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid')


def validate_status(new: Obj, old: Obj) -> Errors:
    yield from validate(new)
    yield from validate_update(new, old)


def _status(obj: Obj) -> Cell:
    ready = [c for c in (obj.get("status") or {}).get("conditions") or () if c.get("type") == "Ready"]
    words = ["Ready" if c.get("status") == "True" else "NotReady" for c in ready[-1:]] or ["Unknown"]
    return ",".join([*words, *(["SchedulingDisabled"] if (obj.get("spec") or {}).get("unschedulable") else [])])


def _roles(obj: Obj) -> Cell:
    labels = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_PREFIX) for key in labels if key.startswith(_ROLE_PREFIX)}
    roles |= {labels.get(_ROLE_LABEL, "")}
    return ",".join(sorted(roles - {""})) or NONE


def _address(kind: str, obj: Obj) -> Cell:
    for address in (obj.get("status") or {}).get("addresses") or ():
        if address.get("type") == kind:
            return str(address.get("address", ""))
    return NONE


def _internal_ip(obj: Obj) -> Cell:
    return _address("InternalIP", obj)


def _external_ip(obj: Obj) -> Cell:
    return _address("ExternalIP", obj)


_INFO = "status.nodeInfo."

NODE = Kind(
    group="",
    version="v1",
    kind="Node",
    plural="nodes",
    schema="io.k8s.api.core.v1.Node",
    namespaced=False,
    short_names=("no",),
    status=True,
    selectable=("spec.unschedulable",),
    default=default,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    columns=(
        Column(name="Status", cell=_status, description="Whether the node takes pods."),
        Column(name="Roles", cell=_roles, description="What its labels say it is for."),
        AGE,
        Column(name="Version", cell=path(_INFO + "kubeletVersion"), description="The version of the node's agent."),
        Column(name="Internal-IP", cell=_internal_ip, wide=True),
        Column(name="External-IP", cell=_external_ip, wide=True),
        Column(name="OS-Image", cell=path(_INFO + "osImage", UNKNOWN), wide=True),
        Column(name="Kernel-Version", cell=path(_INFO + "kernelVersion", UNKNOWN), wide=True),
        Column(name="Container-Runtime", cell=path(_INFO + "containerRuntimeVersion", UNKNOWN), wide=True),
    ),
    generation=False,
)
