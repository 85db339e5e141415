"""Lease: who holds a role, and until when. It is renewed all the time, so it lives in memory."""

from wherry.kinds.columns import AGE, path
from wherry.kinds.kind import Column, Durability, Kind

LEASE = Kind(
    group="coordination.k8s.io",
    version="v1",
    kind="Lease",
    plural="leases",
    schema="io.k8s.api.coordination.v1.Lease",
    columns=(Column(name="Holder", cell=path("spec.holderIdentity"), description="Who holds it."), AGE),
    create_on_update=True,
    durability=Durability.MEMORY,
    generation=False,
)
