"""A one-off pod from its start to its end: made, waited for, joined, and removed whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from wherry.client.follow import Followed, View, following
from wherry.client.http import HttpClient
from wherry.objects import Obj
from wherry.objects.errors import ApiError, NotFound
from wherry.replicas import oneoff, terminal
from wherry.replicas.log_streams import Source, Wanted, lines
from wherry.replicas.oneoff import OneOff
from wherry.replicas.session import Session, join
from wherry.tasks import carried_out

GONE_SECONDS = 10.0


class NotStarted(Exception):
    """The pod did not start; the message says why."""


async def run(client: HttpClient, wanted: OneOff, *, keep: bool, seconds: float, said: Callable[[str], None]) -> int:
    """The command's exit code. Raises NotStarted, or the ApiError of a pod that may not be."""
    async with _made(client, wanted, keep=keep) as made:
        if wanted.ports:
            await _publish(client, wanted, made, said)
        what = Followed("Pod", wanted.namespace, fields=f"metadata.name={wanted.name}")
        async with following(client, what) as view:
            seen = await _until_started(view, wanted, seconds, said)
            if wanted.stdin and oneoff.exit_code(seen) is None:
                session = Session(wanted.namespace, wanted.name, oneoff.CONTAINER, stdin=True, tty=wanted.tty)
                with suppress(ApiError):  # it has ended just now: how, is in the pod
                    await join(client, session)
            else:
                await _print_log(client, wanted, seen)
            return await _ended(view)


@asynccontextmanager
async def _made(client: HttpClient, wanted: OneOff, *, keep: bool) -> AsyncIterator[Obj]:
    made = await client.create(oneoff.pod(wanted))
    try:
        yield made
    finally:
        if not keep:
            await carried_out(_remove(client, made))


async def _remove(client: HttpClient, made: Obj) -> None:
    meta = made["metadata"]
    with suppress(NotFound):
        async with asyncio.timeout(GONE_SECONDS):
            await client.delete("Pod", meta["namespace"], meta["name"], uid=meta["uid"], grace_seconds=1)


async def _publish(client: HttpClient, wanted: OneOff, made: Obj, said: Callable[[str], None]) -> None:
    """A Service for the ports; its address is told once it has one."""
    await client.create(oneoff.service(wanted, made))
    what = Followed("Service", wanted.namespace, fields=f"metadata.name={wanted.name}")
    try:
        async with following(client, what) as view, asyncio.timeout(GONE_SECONDS):
            address = await _address(view)
    except TimeoutError:
        said(f"the ports have no address yet: kubectl -n {wanted.namespace} get service {wanted.name}")
    else:
        said(", ".join(f"http://{address}:{outer}" for outer, _ in wanted.ports))


async def _address(view: View) -> str:
    while True:
        for service in view.of("Service"):
            for at in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
                return str(at.get("ip") or at.get("hostname"))
        await view.change()


async def _until_started(view: View, wanted: OneOff, seconds: float, said: Callable[[str], None]) -> Obj:
    last = ""
    try:
        async with asyncio.timeout(seconds):
            while True:
                seen = next(view.of("Pod"), None)
                if seen is None:
                    raise NotStarted(f"pod {wanted.name} was removed by somebody else")
                if oneoff.started(seen):
                    return seen
                if why := oneoff.hopeless(seen):
                    raise NotStarted(f"{wanted.image} does not start: {why}")
                if (now := oneoff.progress(seen)) != last:
                    last = now
                    said(f"{wanted.name}: {now}")
                await view.change()
    except TimeoutError:
        raise NotStarted(f"{wanted.image} has not started within {seconds:g} s: {last}") from None


async def _print_log(client: HttpClient, wanted: OneOff, seen: Obj) -> None:
    """All that the command writes, from its first byte."""
    source = Source(wanted.name, oneoff.CONTAINER, seen["metadata"]["uid"], 0)
    async for line in lines(client, wanted.namespace, source, Wanted(), follow=True):
        terminal.write(line.text + b"\n")


async def _ended(view: View) -> int:
    while True:
        seen = next(view.of("Pod"), None)
        if seen is None:
            return 1
        if (code := oneoff.exit_code(seen)) is not None:
            return code
        await view.change()
