"""Deployment: replicas of a pod template, replaced step by step when it changes."""

from wherry.kinds.columns import AGE, WORKLOAD
from wherry.kinds.core import podspec
from wherry.kinds.defaults import fill, section
from wherry.kinds.kind import Cell, Column, Kind, Scale
from wherry.objects import Obj


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
        fill(rolling, "maxUnavailable", "25%")
        fill(rolling, "maxSurge", "25%")


def prepare(obj: Obj) -> None:
    obj["status"] = {}


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
    columns=(
        Column(name="Ready", cell=_ready, description="How many pods are ready, of how many wanted."),
        Column(name="Up-to-date", cell=_updated, description="How many pods have the newest template."),
        Column(name="Available", cell=_available, description="How many pods have been ready for long enough."),
        AGE,
        *WORKLOAD,
    ),
    generation_metadata=("annotations",),
)
