"""What of a pod may change once it is there."""

from copy import deepcopy

from wherry.kinds import checks
from wherry.kinds.checks import Errors
from wherry.kinds.core.label_keys import REQUIRED
from wherry.kinds.defaults import items
from wherry.objects import Obj, names
from wherry.objects.field_errors import forbidden, invalid

_LONGEST = 2**31 - 1
_CHANGEABLE = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)


def update(new: Obj, old: Obj) -> Errors:
    """A pod is what it was, but for its images, its deadline and further tolerations."""
    if new == old:
        return
    for key in ("containers", "initContainers"):
        if len(new.get(key) or ()) != len(old.get(key) or ()):
            yield forbidden(f"spec.{key}", "pod updates may not add or remove containers")
            return
    stop = [*_deadline(new, old)]
    yield from stop
    if any(new.get("activeDeadlineSeconds") is not None for _ in stop):
        return
    yield from _added_tolerations(new, old)
    yield from _opened_gates(new, old)
    if old.get("schedulingGates"):
        yield from _narrowed(new, old)
    if _pinned(new, old) != _pinned(old, old):
        fields = ",".join(_CHANGEABLE)
        yield forbidden("spec", f"pod updates may not change fields other than {fields}\n{_difference(new, old)}")


def _deadline(new: Obj, old: Obj) -> Errors:
    path, after, before = (
        "spec.activeDeadlineSeconds",
        new.get("activeDeadlineSeconds"),
        old.get("activeDeadlineSeconds"),
    )
    if after is None:
        if before is not None:
            yield invalid(path, None, "must not update from a positive integer to nil value")
    elif not 0 <= after <= _LONGEST:
        yield from checks.in_range(path, after, 0, _LONGEST)
    elif before is not None and before < after:
        yield invalid(path, after, "must be less than or equal to previous value")


def _added_tolerations(new: Obj, old: Obj) -> Errors:
    after = [_without_seconds(toleration) for toleration in items(new, "tolerations")]
    if any(_without_seconds(toleration) not in after for toleration in items(old, "tolerations")):
        message = "existing toleration can not be modified except its tolerationSeconds"
        yield forbidden("spec.tolerations", message)


def _without_seconds(toleration: Obj) -> Obj:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds" and value not in ("", None)}


def _opened_gates(new: Obj, old: Obj) -> Errors:
    before = {gate.get("name") for gate in items(old, "schedulingGates")}
    for index, gate in enumerate(items(new, "schedulingGates")):
        if gate.get("name") not in before:
            message = f"only deletion is allowed, but found new scheduling gate '{gate.get('name', '')}'"
            yield forbidden(f"spec.schedulingGates[{index}].name", message)


def _narrowed(new: Obj, old: Obj) -> Errors:
    """A pod that waits at a gate may be kept to fewer nodes, never let onto more."""
    after, before = new.get("nodeSelector") or {}, old.get("nodeSelector") or {}
    if any(after.get(key) != value for key, value in before.items()):
        message = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        yield invalid("spec.nodeSelector", new.get("nodeSelector"), message)
    terms, were = _required_terms(new), _required_terms(old)
    path = f"spec.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"
    if were and len(were) != len(terms):
        yield invalid(path, terms, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for index, (term, was) in enumerate(zip(terms, were, strict=False)):
        if not _only_more(term, was):
            yield invalid(f"{path}[{index}]", term, "only additions are allowed (no mutations or deletions)")


def _node_affinity(spec: Obj) -> Obj | None:
    return (spec.get("affinity") or {}).get("nodeAffinity")


def _required_terms(spec: Obj) -> list[Obj]:
    return list(items((_node_affinity(spec) or {}).get(REQUIRED), "nodeSelectorTerms"))


def _only_more(term: Obj, was: Obj) -> bool:
    pairs = [(list(items(term, key)), list(items(was, key))) for key in ("matchExpressions", "matchFields")]
    if not any(before for _, before in pairs):
        return not any(after for after, _ in pairs)  # an empty term selects nothing: adding to it lets pods in
    return all(after[: len(before)] == before for after, before in pairs)


def _pinned(new: Obj, old: Obj) -> Obj:
    """The new spec with all that may change as it was before."""
    out = {key: value for key, value in deepcopy(new).items() if value not in (None, [], {}, "", False)}
    for key in ("containers", "initContainers"):
        for container, before in zip(items(out, key), items(old, key), strict=True):
            container["image"] = before.get("image")
    for key in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        out[key] = old.get(key)
    if old.get("schedulingGates"):
        out["nodeSelector"] = old.get("nodeSelector")
        out["affinity"] = {**(new.get("affinity") or {}), "nodeAffinity": _node_affinity(old)}
    if (old.get("terminationGracePeriodSeconds") or 0) < 0 and new.get("terminationGracePeriodSeconds") == 1:
        out["terminationGracePeriodSeconds"] = old["terminationGracePeriodSeconds"]
    return out


def _difference(new: Obj, old: Obj) -> str:
    after, before = _pinned(new, old), _pinned(old, old)
    changed = sorted(key for key in {*after, *before} if after.get(key) != before.get(key))
    return "changed: " + ", ".join(f"spec.{key}" for key in changed)


def take_ephemeral(new: Obj, old: Obj) -> None:
    """Of a write to `ephemeralcontainers` only those count."""
    wanted = (new.get("spec") or {}).get("ephemeralContainers")
    before = old["metadata"]
    for key in [key for key in new if key not in ("apiVersion", "kind", "metadata")]:
        del new[key]
    new.update({key: value for key, value in old.items() if key not in ("apiVersion", "kind", "metadata")})
    new["metadata"] = {**before, "uid": new["metadata"].get("uid") or before["uid"]}
    new["spec"] = {key: value for key, value in old["spec"].items() if key != "ephemeralContainers"}
    if wanted:
        new["spec"]["ephemeralContainers"] = wanted


def ephemeral(new: Obj, old: Obj) -> Errors:
    """Ephemeral containers are added; none changes or goes."""
    after = {one.get("name"): one for one in items(new["spec"], "ephemeralContainers")}
    for one in items(old["spec"], "ephemeralContainers"):
        name = one.get("name")
        if name not in after:
            yield forbidden("spec.ephemeralContainers", f'existing ephemeral containers "{name}" may not be removed\n')
        elif after[name] != one:
            yield forbidden("spec.ephemeralContainers", f'existing ephemeral containers "{name}" may not be changed\n')


def status(new: Obj, old: Obj) -> Errors:
    """What a pod's status may say: addresses that are such, ended containers that stay ended."""
    after, before = new.get("status") or {}, old.get("status") or {}
    ips = [one.get("ip", "") for one in items(after, "podIPs")]
    if after.get("podIP") and after["podIP"] not in ips:
        ips = [after["podIP"], *ips]  # upstream derives the list's head from the older field
    for index, address in enumerate(ips):
        yield from checks.ip(f"status.podIPs[{index}]", address)
    if before.get("nominatedNodeName") != after.get("nominatedNodeName") and after.get("nominatedNodeName"):
        yield from checks.named("status.nominatedNodeName", after["nominatedNodeName"], names.dns1123_subdomain)
    if new["spec"].get("restartPolicy") != "Always":
        yield from _stay_ended(new, after, before)


def _stay_ended(pod: Obj, after: Obj, before: Obj) -> Errors:
    """Without restarts a container that has ended does not run again."""
    failing = pod["spec"].get("restartPolicy") == "OnFailure"
    now = {one.get("name"): one for one in items(after, "containerStatuses")}
    for index, was in enumerate(items(before, "containerStatuses")):
        ended = (was.get("state") or {}).get("terminated")
        if ended is None or (failing and ended.get("exitCode")) or was.get("name") not in now:
            continue
        if (now[was.get("name")].get("state") or {}).get("terminated") is None:
            yield forbidden(
                f"status.containerStatuses[{index}].state", "may not be transitioned to non-terminated state"
            )
