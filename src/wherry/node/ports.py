"""What the node needs of others: the network takes a pod out before it is told to stop, the kernel limits it."""

from typing import Protocol

from wherry.objects import Obj


class Routing(Protocol):
    """The engine hands the network in behind this."""

    async def withdraw(self, pod: Obj, limit_seconds: float) -> None:
        """Return when no new connection is routed to the pod and those it had have drained, or after the limit.

        The pod carries a deletionTimestamp (or is about to be stopped). At once where no Service selects it.
        """
        ...


class PodCgroups(Protocol):
    """The cgroups above a pod's containers; `cgroups.Cgroups` makes real ones. Raises OSError."""

    def hold(self, pod: Obj) -> None:
        """Count the requests of a pod that runs already."""
        ...

    async def make(self, pod: Obj) -> None:
        """Before the pod's sandbox."""
        ...

    async def remove(self, pod: Obj) -> None:
        """After it."""
        ...
