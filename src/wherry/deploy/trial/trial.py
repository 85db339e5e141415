"""One pod of an image: made, asked until it answers, looked at, stopped, gone. Leaves nothing."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from wherry.client.follow import Followed, View, following
from wherry.client.http import HttpClient
from wherry.clock import Clock
from wherry.deploy.errors import DeployError
from wherry.deploy.trial import probe
from wherry.deploy.trial.probe import Inside
from wherry.objects import Obj
from wherry.objects.errors import ApiError, NotFound
from wherry.tasks import carried_out

CONTAINER = "trial"
_FIRST, _LONGEST = 0.02, 0.5  # seconds between questions
_LOOK_SECONDS = 20.0
_SPARE = 10.0  # seconds that a stop may take beyond the grace


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is tried. `port` 0: the one that it is seen to listen at."""

    image: str
    port: int = 0
    path: str = "/"
    namespace: str = "default"
    command: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    seconds: float = 60.0  # for the first answer
    grace: int = 30  # seconds that it gets to stop


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What was seen. Times are seconds; None where it did not come to that."""

    subject: Subject
    port: int = 0
    status: int = 0  # HTTP's, 0 where nothing answered
    to_answer: float | None = None  # from the container's start
    to_stop: float | None = None  # from the order to stop to its end
    exit_code: int | None = None  # after the order to stop
    inside: Inside | None = None
    failure: str = ""  # why it did not run or answer
    log: Sequence[str] = ()  # its last lines, where it failed or answered with an error of its own

    @property
    def answered(self) -> bool:
        return 0 < self.status < 500


async def attempt(client: HttpClient, clock: Clock, subject: Subject) -> Trial:
    """Try it out. Raises DeployError where the pod cannot be made at all."""
    name = f"wherry-trial-{secrets.token_hex(4)}"
    try:
        made = await client.create(_pod(name, subject))
    except ApiError as error:
        raise DeployError(f"the trial's pod was refused: {error}") from error
    try:
        what = Followed("Pod", subject.namespace, fields=f"metadata.name={name}")
        async with following(client, what) as view:
            return await _watched(client, clock, subject, name, view)
    finally:
        await carried_out(_remove(client, made, 0))


async def _watched(client: HttpClient, clock: Clock, subject: Subject, name: str, view: View) -> Trial:
    try:
        async with asyncio.timeout(subject.seconds):
            failure = await _started(view)
    except TimeoutError:
        failure = f"it has not started within {subject.seconds:g} s"
    if failure:
        return Trial(subject=subject, failure=failure, log=await _log(client, subject, name))
    began = time.monotonic()
    port, status = 0, 0
    waiting = asyncio.ensure_future(_until_ended(view))
    asking = asyncio.ensure_future(_answer(client, clock, subject, name))
    try:
        await asyncio.wait((waiting, asking), timeout=subject.seconds, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            failure = waiting.result()
        elif asking.done():
            port, status = asking.result()
        else:
            failure = f"nothing answered GET {subject.path} within {subject.seconds:g} s"
    finally:
        waiting.cancel()
        asking.cancel()
    to_answer = time.monotonic() - began if status else None
    if waiting.done() and not waiting.cancelled():
        return Trial(subject=subject, failure=failure, log=await _log(client, subject, name))
    inside = await _look(client, subject, name)
    log = await _log(client, subject, name) if failure or status >= 500 else ()
    to_stop, code = await _stopped(client, subject, name, view)
    return Trial(
        subject=subject,
        port=port,
        status=status,
        to_answer=to_answer,
        to_stop=to_stop,
        exit_code=code,
        inside=inside,
        failure=failure,
        log=log,
    )


def _pod(name: str, subject: Subject) -> Obj:
    container: Obj = {
        "name": CONTAINER,
        "image": subject.image,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": key, "value": value} for key, value in subject.environment.items()],
    }
    if subject.command:
        container["command"] = list(subject.command)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": subject.namespace, "labels": {"wherry.dev/trial": "true"}},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": subject.grace,
            "containers": [container],
        },
    }


def _state(view: View) -> tuple[Obj | None, Obj]:
    """The pod and its container's state."""
    pod = next(view.of("Pod"), None)
    statuses: Sequence[Obj] = ((pod or {}).get("status") or {}).get("containerStatuses") or ({},)
    return pod, statuses[0].get("state") or {}


async def _started(view: View) -> str:
    """Wait until the container runs; why it never will, or ""."""
    while True:
        pod, state = _state(view)
        if pod is None:
            return "its pod was removed by somebody else"
        if "running" in state:
            return ""
        if ended := _ended(state):
            return ended
        waiting = state.get("waiting") or {}
        if str(waiting.get("reason", "")).startswith(
            ("Err", "ImagePull", "InvalidImage", "CreateContainer", "RunContainer")
        ):
            return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
        await view.change()


async def _until_ended(view: View) -> str:
    while True:
        pod, state = _state(view)
        if pod is None:
            return "its pod was removed by somebody else"
        if ended := _ended(state):
            return ended
        await view.change()


def _ended(state: Obj) -> str:
    ended = state.get("terminated")
    return f"it ended by itself with exit code {ended.get('exitCode')} ({ended.get('reason')})" if ended else ""


async def _answer(client: HttpClient, clock: Clock, subject: Subject, name: str) -> tuple[int, int]:
    """Ask until something answers; the port and the status."""
    pause = _FIRST
    while True:
        ports = [subject.port] if subject.port else await _ports(client, subject, name)
        for port in ports:
            status = await client.proxied(subject.namespace, name, port, subject.path)
            if status and status not in (502, 503, 504):
                return port, status
        await clock.sleep(pause)
        pause = min(pause * 1.5, _LONGEST)


async def _ports(client: HttpClient, subject: Subject, name: str) -> list[int]:
    inside = await _look(client, subject, name)
    return [port for port, reachable in sorted(inside.ports.items()) if reachable] if inside else []


async def _look(client: HttpClient, subject: Subject, name: str) -> Inside | None:
    """Run the script inside; None where there is no Python."""
    for python in ("python3", "/opt/venv/bin/python3", "/usr/local/bin/python3", "/usr/bin/python3"):
        query = [("container", CONTAINER), ("stdout", "true"), ("stderr", "true")]
        query += [("command", word) for word in (python, "-c", probe.SCRIPT)]
        out = bytearray()
        try:
            async with (
                asyncio.timeout(_LOOK_SECONDS),
                client.remote_command(subject.namespace, name, "exec", query) as session,
            ):
                async for channel, data in session.output():
                    if channel == 1:
                        out += data
        except (ApiError, TimeoutError):
            continue
        found = probe.read(bytes(out))
        if found is not None:
            return found
    return None


async def _stopped(client: HttpClient, subject: Subject, name: str, view: View) -> tuple[float | None, int | None]:
    """Order it to stop; how long that took, and its exit code."""
    pod, _ = _state(view)
    if pod is None:
        return None, None
    began = time.monotonic()
    await _remove(client, pod, subject.grace)
    code = None
    try:
        async with asyncio.timeout(subject.grace + _SPARE):
            while True:
                seen, state = _state(view)
                if state.get("terminated"):
                    code = int(state["terminated"]["exitCode"])
                if seen is None or code is not None:
                    return time.monotonic() - began, code
                await view.change()
    except TimeoutError:
        return None, None


async def _log(client: HttpClient, subject: Subject, name: str) -> list[str]:
    text = b""
    with contextlib.suppress(ApiError):
        async for chunk in client.logs(subject.namespace, name, tailLines=15):
            text += chunk
    return text.decode(errors="replace").splitlines()


async def _remove(client: HttpClient, pod: Obj, grace: int) -> None:
    meta = pod["metadata"]
    with contextlib.suppress(NotFound):
        await client.delete("Pod", meta["namespace"], meta["name"], uid=meta["uid"], grace_seconds=grace)
