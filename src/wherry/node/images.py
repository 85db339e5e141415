"""A container's image, here: pull policy, pull secrets, one pull at a time for each image, back-off, Events."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wherry.client.lister import Lister
from wherry.clock import Clock
from wherry.node.pull_secrets import credentials, with_tag
from wherry.node.runtime import Image, PullAuth, Runtime, RuntimeFailure
from wherry.node.seen import FIRST_BACKOFF, FORGIVEN_AFTER, LAST_BACKOFF, Failure
from wherry.objects import Obj

SHOW_ERROR_SECONDS = 2.0  # how long a status says ErrImagePull before it says ImagePullBackOff
SLOWEST_PULL_SECONDS = 3600.0

Tell = Callable[[str, str, str], None]
"""An Event about the container: type, reason, message."""


class NoImage(Exception):
    """The image cannot be had now; `failure` is what the container's status says."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True)
class _BackOff:
    seconds: float
    since: datetime
    error: str

    @property
    def until(self) -> datetime:
        return self.since + timedelta(seconds=self.seconds)


class Images:
    """One for the node. Pulls belong to `tasks`, as several pods may wait for one."""

    def __init__(
        self, runtime: Runtime, lister: Lister, clock: Clock, tasks: asyncio.TaskGroup, *, pulls: int = 5
    ) -> None:
        self._runtime = runtime
        self._lister = lister
        self._clock = clock
        self._tasks = tasks
        self._slots = asyncio.Semaphore(pulls)
        self._pulling: dict[tuple[str, PullAuth | None], asyncio.Task[tuple[str, float]]] = {}
        self._backoffs: dict[tuple[str, str], _BackOff] = {}  # by pod uid and image

    async def ensure(self, pod: Obj, container: Obj, tell: Tell) -> Image:
        """The image as the runtime has it now. Raises NoImage."""
        try:
            return await self._ensure(pod, container, tell)
        except NoImage as error:
            tell("Warning", "Failed", f"Error: {error.failure.reason}")
            raise

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._backoffs if key[0] == uid]:
            del self._backoffs[key]

    async def _ensure(self, pod: Obj, container: Obj, tell: Tell) -> Image:
        asked = container.get("image") or ""
        try:
            image = with_tag(asked)
        except ValueError as error:
            message = f'Failed to apply default image tag "{asked}": {error}'
            tell("Warning", "InspectFailed", message)
            raise NoImage(self._later("InvalidImageName", message, LAST_BACKOFF)) from None
        policy = container.get("imagePullPolicy") or "IfNotPresent"
        here = await self._inspect(image, asked, tell)
        if here is not None and (policy != "Always" or here.pinned):
            why = "already present on machine"
            if policy == "Always":
                why = "was built or loaded on this node and is not pulled, though its pull policy is Always"
            tell("Normal", "Pulled", f'Container image "{asked}" {why}')
            return here
        if policy == "Never":
            message = f'Container image "{asked}" is not present with pull policy of Never'
            tell("Warning", "ErrImageNeverPull", message)
            raise NoImage(self._later("ErrImageNeverPull", message, FIRST_BACKOFF))
        return await self._pull_for(pod, image, tell)

    async def _inspect(self, image: str, asked: str, tell: Tell) -> Image | None:
        try:
            return await self._runtime.image(image)
        except RuntimeFailure as error:
            message = f'Failed to inspect image "{asked}": {error}'
            tell("Warning", "InspectFailed", message)
            raise NoImage(self._later("ImageInspectError", message, FIRST_BACKOFF)) from error

    async def _pull_for(self, pod: Obj, image: str, tell: Tell) -> Image:
        key = (pod["metadata"]["uid"], image)
        now = self._clock.now()
        held = self._backoffs.get(key)
        if held is not None and now < held.until:
            tell("Normal", "BackOff", f'Back-off pulling image "{image}"')
            message = f'Back-off pulling image "{image}": ErrImagePull: {held.error}'
            raise NoImage(Failure(reason="ImagePullBackOff", message=message, until=held.until))
        tell("Normal", "Pulling", f'Pulling image "{image}"')
        begun = self._clock.monotonic()
        try:
            took = await self._pull_any(image, credentials(image, self._secrets(pod, tell)))
            found = await self._runtime.image(image)
            if found is None:
                raise RuntimeFailure("NOT_FOUND", f"{image} was pulled and is not there")
        except RuntimeFailure as error:
            tell("Warning", "Failed", f'Failed to pull image "{image}": {error}')
            self._backoffs[key] = _next(held, now, str(error))
            raise NoImage(self._later("ErrImagePull", str(error), SHOW_ERROR_SECONDS)) from error
        whole = _duration(self._clock.monotonic() - begun)
        size = f"Image size: {found.size} bytes."
        text = f'Successfully pulled image "{image}" in {_duration(took)} ({whole} including waiting). {size}'
        tell("Normal", "Pulled", text)
        self._backoffs.pop(key, None)
        return found

    async def _pull_any(self, image: str, auths: Sequence[PullAuth]) -> float:
        """With one credential after the other; the seconds that the pull itself took."""
        failure: RuntimeFailure | None = None
        for auth in auths or (None,):
            key = (image, auth)
            task = self._pulling.get(key)
            if task is None:
                task = self._pulling[key] = self._tasks.create_task(self._pull(image, auth))
            reference, took = await asyncio.shield(task)
            if not reference:
                return took
            failure = RuntimeFailure("UNKNOWN", reference)
        assert failure is not None
        raise failure

    async def _pull(self, image: str, auth: PullAuth | None) -> tuple[str, float]:
        """What went wrong ("" if nothing) and the seconds it took. Never raises: nobody may be waiting any more."""
        try:
            async with self._slots, asyncio.timeout(SLOWEST_PULL_SECONDS):
                begun = self._clock.monotonic()
                await self._runtime.pull(image, auth)
                return "", self._clock.monotonic() - begun
        except RuntimeFailure as error:
            return str(error), 0.0
        except TimeoutError:
            return f"no end after {SLOWEST_PULL_SECONDS:g} s", 0.0
        finally:
            del self._pulling[image, auth]

    def _secrets(self, pod: Obj, tell: Tell) -> list[Obj]:
        names = [one["name"] for one in pod["spec"].get("imagePullSecrets") or () if one.get("name")]
        found = {name: self._lister.get("Secret", pod["metadata"]["namespace"], name) for name in names}
        missing = ", ".join(name for name, secret in found.items() if secret is None)
        if missing:
            tell(
                "Warning",
                "FailedToRetrieveImagePullSecret",
                f"Unable to retrieve some image pull secrets ({missing}); "
                "attempting to pull the image may not succeed.",
            )
        return [secret for secret in found.values() if secret is not None]

    def _later(self, reason: str, message: str, seconds: float) -> Failure:
        return Failure(reason=reason, message=message, until=self._clock.now() + timedelta(seconds=seconds))


def _next(held: _BackOff | None, now: datetime, error: str) -> _BackOff:
    if held is None or now - held.since > FORGIVEN_AFTER:
        return _BackOff(FIRST_BACKOFF, now, error)
    return _BackOff(min(held.seconds * 2, LAST_BACKOFF), now, error)


def _duration(seconds: float) -> str:
    """As Go prints it, in whole milliseconds."""
    milli = int(seconds * 1000)
    if milli < 1000:
        return f"{milli}ms" if milli else "0s"
    minutes, rest = divmod(milli, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{minutes}m{text}" if minutes else text
