"""ReplicaSet: a number of pods from one template."""

from wherry.kinds.apps import workload_checks
from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, WORKLOAD, path
from wherry.kinds.core import pod_warnings, podspec
from wherry.kinds.defaults import fill, section
from wherry.kinds.kind import Column, Kind, Scale
from wherry.objects import Obj


def default(obj: Obj) -> None:
    spec = section(obj, "spec")
    podspec.default_template(section(spec, "template"))
    fill(spec, "replicas", 1)


def prepare(obj: Obj) -> None:
    obj["status"] = {"replicas": 0}


def validate(obj: Obj) -> Errors:
    yield from workload_checks.replicas(obj["spec"])


def validate_status(new: Obj, _old: Obj) -> Errors:
    yield from workload_checks.status(new.get("status") or {}, ("fullyLabeledReplicas",))


REPLICASET = Kind(
    group="apps",
    version="v1",
    kind="ReplicaSet",
    plural="replicasets",
    schema="io.k8s.api.apps.v1.ReplicaSet",
    short_names=("rs",),
    categories=("all",),
    status=True,
    scale=Scale(),
    default=default,
    prepare=prepare,
    validate=validate,
    validate_update=workload_checks.same_selector,
    validate_status=validate_status,
    warn=pod_warnings.of_workload,
    columns=(
        Column(name="Desired", type="integer", cell=path("spec.replicas", 0), description="How many pods it wants."),
        Column(name="Current", type="integer", cell=path("status.replicas", 0), description="How many it has."),
        Column(name="Ready", type="integer", cell=path("status.readyReplicas", 0), description="How many are ready."),
        AGE,
        *WORKLOAD,
    ),
)
