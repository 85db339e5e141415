"""An exit is passed on once the CRI's status shows it, however late a busy CRI is."""

from typing import Any, cast

import grpc.aio

from wherry.node import containerd_pb2
from wherry.node.events import Subscription
from wherry.node.runtime import PodEvent


async def test_an_exit_waits_for_a_cri_that_is_a_second_late() -> None:
    asked = 0

    async def settled(subject: str, what: str) -> bool:
        nonlocal asked
        asked += 1
        return asked > 9  # the looks of the first second were in vain

    async def pod_of(subject: str, *, forget: bool) -> str | None:
        return f"pod of {subject}" if asked > 9 else "too early"

    async def ready() -> None:
        return None

    subscription = Subscription(cast(grpc.aio.Channel, None), ready=ready, pod_of=pod_of, settled=settled)
    envelope: Any = containerd_pb2.Envelope(topic="/tasks/exit")
    envelope.event.value = containerd_pb2.TaskExit(container_id="c1", id="c1").SerializeToString()
    await subscription._pass_on(envelope)
    assert subscription._out.get_nowait() == PodEvent(uid="pod of c1", what="exit")
