"""What the node needs of the network: that a pod gets no more requests before it is told to stop."""

from typing import Protocol

from wherry.objects import Obj


class Routing(Protocol):
    """The engine hands the network in behind this."""

    async def withdraw(self, pod: Obj, limit_seconds: float) -> None:
        """Return when no new connection is routed to the pod and those it had have drained, or after the limit.

        The pod carries a deletionTimestamp (or is about to be stopped). At once where no Service selects it.
        """
        ...
