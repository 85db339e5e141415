"""Deployment: replicas of a pod template, replaced step by step when it changes."""

from wherry.kinds import checks
from wherry.kinds.apps import workload_checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, WORKLOAD
from wherry.kinds.core import pod_warnings, podspec
from wherry.kinds.defaults import fill, fill_absent, section
from wherry.kinds.kind import Cell, Column, Kind, Scale
from wherry.objects import Obj
from wherry.objects.field_errors import forbidden, invalid


def default(obj: Obj) -> None:
    spec = section(obj, "spec")
    podspec.default_template(section(spec, "template"))
    fill(spec, "replicas", 1)
    fill(spec, "revisionHistoryLimit", 10)
    fill(spec, "progressDeadlineSeconds", 600)
    strategy = section(spec, "strategy")
    fill(strategy, "type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = section(strategy, "rollingUpdate")
        fill_absent(rolling, "maxUnavailable", "25%")
        fill_absent(rolling, "maxSurge", "25%")


def prepare(obj: Obj) -> None:
    obj["status"] = {}


def validate(obj: Obj) -> Errors:
    spec = obj["spec"]
    yield from workload_checks.replicas(spec)
    yield from _strategy("spec.strategy", spec.get("strategy") or {})
    yield from checks.nonnegative("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    deadline = spec.get("progressDeadlineSeconds")
    yield from checks.nonnegative("spec.progressDeadlineSeconds", deadline)
    if deadline is not None and deadline <= (spec.get("minReadySeconds") or 0):
        yield invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def validate_status(new: Obj, old: Obj) -> Errors:
    yield from workload_checks.status(new.get("status") or {}, ("updatedReplicas",))
    collisions = ((one.get("status") or {}).get("collisionCount") for one in (new, old))
    after, before = (0 if count is None else count for count in collisions)
    if after < before:
        yield invalid("status.collisionCount", after, "cannot be decremented")


def _strategy(path: str, strategy: Obj) -> Errors:
    match strategy.get("type"):
        case "Recreate":
            if strategy.get("rollingUpdate") is not None:
                message = "may not be specified when strategy `type` is 'Recreate'"
                yield forbidden(f"{path}.rollingUpdate", message)
        case "RollingUpdate":
            yield from _rolling(f"{path}.rollingUpdate", strategy["rollingUpdate"])
        case _:
            words = ("Recreate", "RollingUpdate")
            yield from checks.supported(path, strategy, words)


def _rolling(path: str, rolling: Obj) -> Errors:
    unavailable, surge = rolling["maxUnavailable"], rolling["maxSurge"]
    yield from checks.int_or_percent(f"{path}.maxUnavailable", unavailable)
    yield from checks.int_or_percent(f"{path}.maxSurge", surge)
    if _amount(unavailable) == 0 and _amount(surge) == 0:
        yield invalid(f"{path}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    if (checks.percent(unavailable) or 0) > 100:
        yield invalid(f"{path}.maxUnavailable", unavailable, "must not be greater than 100%")


def _amount(value: int | str) -> int:
    return value if isinstance(value, int) else checks.percent(value) or 0


def _ready(obj: Obj) -> Cell:
    status = obj.get("status") or {}
    return f"{status.get('readyReplicas') or 0}/{obj['spec'].get('replicas', 1)}"


def _updated(obj: Obj) -> Cell:
    return int((obj.get("status") or {}).get("updatedReplicas") or 0)


def _available(obj: Obj) -> Cell:
    return int((obj.get("status") or {}).get("availableReplicas") or 0)


DEPLOYMENT = Kind(
    group="apps",
    version="v1",
    kind="Deployment",
    plural="deployments",
    schema="io.k8s.api.apps.v1.Deployment",
    short_names=("deploy",),
    categories=("all",),
    status=True,
    scale=Scale(),
    default=default,
    prepare=prepare,
    validate=validate,
    validate_update=workload_checks.same_selector,
    validate_status=validate_status,
    warn=pod_warnings.of_workload,
    status_keeps=("labels",),
    columns=(
        Column(name="Ready", cell=_ready, description="How many pods are ready, of how many wanted."),
        Column(name="Up-to-date", cell=_updated, description="How many pods have the newest template."),
        Column(name="Available", cell=_available, description="How many pods have been ready for long enough."),
        AGE,
        *WORKLOAD,
    ),
    generation_metadata=("annotations",),
)
