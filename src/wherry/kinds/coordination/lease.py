"""Lease: who holds a role, and until when. It is renewed all the time, so it lives in memory."""

from wherry.kinds.checks import Errors
from wherry.kinds.columns import AGE, path
from wherry.kinds.kind import Column, Durability, Kind
from wherry.objects import Obj
from wherry.objects.field_errors import forbidden, invalid


def validate(obj: Obj) -> Errors:
    spec = obj.get("spec") or {}
    duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
    if duration is not None and duration <= 0:
        yield invalid("spec.leaseDurationSeconds", duration, "must be greater than 0")
    if transitions is not None and transitions < 0:
        yield invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0")
    if spec.get("preferredHolder") and not spec.get("strategy"):
        yield forbidden("spec.preferredHolder", "may only be specified if `strategy` is defined")


LEASE = Kind(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    schema="io.k8s.api.coordination.v1.Lease",
    validate=validate,
    columns=(Column(name="Holder", cell=path("spec.holderIdentity"), description="Who holds it."), AGE),
    create_on_update=True,
    durability=Durability.MEMORY,
    generation=False,
)
