"""A containerd of the node's own, from its start to its end.

It runs detached, so that pods outlive this process; `start` adopts the one that a pidfile names.
"""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from wherry.node import sandbox_image, shims
from wherry.node.containerd_process import ContainerdProcess, Process
from wherry.node.content import import_archive
from wherry.node.cri import CriRuntime
from wherry.node.runtime import Runtime, RuntimeFailure
from wherry.node.seccomp_filters import SeccompFilters
from wherry.process import ProgramError, run

log = logging.getLogger("wherry.node")

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_PROVIDE_SECONDS = 60.0
_REMOVAL_PAUSES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)  # seconds


class Containerd:
    """Looks after the one of `process`."""

    def __init__(self, process: ContainerdProcess) -> None:
        self.root, self.state, self.log = process.root, process.state, process.log
        self.socket = str(process.state / "containerd.sock")
        self._process = process
        self._filters = SeccompFilters(self.state / "crun" / "k8s.io")

    def runtime(self) -> CriRuntime:
        """Its CRI, with the seccomp filters that its containers were started with."""
        return CriRuntime(self.socket, self._filters)

    def process(self) -> Process | None:
        """The one that runs, if it does."""
        return self._process.find()

    async def start(self) -> None:
        """Adopt the running one, or start one; returns when the CRI answers."""
        running = self.process()
        if running and self._process.configured():
            await self._ready(running)
            return
        if running:  # another config: a restart leaves the containers running
            await self.stop()
        self._filters.forget()
        process = await asyncio.to_thread(self._process.launch)
        if process is None:
            raise ProgramError(f"containerd: ended at once: {self._last_words()}")
        await self._ready(process)

    async def provide(self) -> None:
        """The image of the pods' sandboxes is there and pinned when this returns. May be repeated."""
        async with CriRuntime(self.socket) as runtime:
            image = await runtime.image(sandbox_image.REFERENCE)
        if image is not None and image.pinned:
            return
        try:
            archive = await asyncio.to_thread(sandbox_image.sandbox_archive)
        except FileNotFoundError as error:
            raise ProgramError(f"{error.filename}: not found; pods need it (package catatonit)") from error
        async with asyncio.timeout(_PROVIDE_SECONDS):
            await import_archive(self.socket, archive)

    async def wait(self) -> None:
        """Returns when the running containerd has ended, by whatever cause: time to `start` again."""
        if process := self.process():
            with contextlib.suppress(ProcessLookupError):
                async with _opened(process) as (_, ended):
                    await ended.wait()

    async def stop(self) -> None:
        """End containerd; the containers and their shims live on."""
        if process := self.process():
            with contextlib.suppress(ProcessLookupError):
                async with _opened(process) as (pidfd, ended):
                    await _end(pidfd, ended)
        self._process.pidfile.unlink(missing_ok=True)

    async def remove(self) -> None:
        """Stop and remove every pod, then containerd, its mounts and all its data.

        Where containerd does not come up any more, its pods are killed without its help.
        """
        if self._process.config.exists():
            try:
                await self.start()
                async with CriRuntime(self.socket) as runtime:
                    await asyncio.gather(*(remove_pod(runtime, pod.id) for pod in await runtime.sandboxes()))
            except (ProgramError, RuntimeFailure) as error:
                log.warning("pods are killed, as containerd does not remove them: %s", error)
        await self.stop()
        await asyncio.to_thread(self._process.end_forgotten)
        await asyncio.to_thread(shims.end, self.socket)
        for path in self._mounts():
            await run("umount", "-l", path, check=False)
        for directory in (self.root, self.state):
            await asyncio.to_thread(shutil.rmtree, directory, True)

    async def _ready(self, process: Process) -> None:
        async with CriRuntime(self.socket) as runtime:
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await self._answering(runtime, process)
            except TimeoutError as error:
                words = self._last_words()
                raise ProgramError(f"containerd: no answer after {_START_SECONDS:g} s: {words}") from error

    async def _answering(self, runtime: CriRuntime, process: Process) -> None:
        while True:
            try:
                return await runtime.ready()
            except RuntimeFailure as error:
                if not process.alive():
                    words = self._last_words()
                    raise ProgramError(f"containerd: ended while starting: {words}") from error
            await asyncio.sleep(0.01)

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def _mounts(self) -> list[str]:
        """What is mounted below our directories, innermost first."""
        below = (f"{self.root}/", f"{self.state}/")
        mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
        return sorted((path for path in mounts if path.startswith(below)), reverse=True)


async def remove_pod(runtime: Runtime, sandbox_id: str) -> None:
    """Whoever started a container may have ended in the middle: the CRI removes it when it has started, not before."""
    for pause in (*_REMOVAL_PAUSES, None):
        try:
            await runtime.remove_sandbox(sandbox_id)
            return
        except RuntimeFailure:
            if pause is None:
                raise
            await asyncio.sleep(pause)


@contextlib.asynccontextmanager
async def _opened(process: Process) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """A file descriptor of the process, and the event of its end. Raises ProcessLookupError after it."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, ended.set)
    try:
        yield pidfd, ended
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


async def _end(pidfd: int, ended: asyncio.Event) -> None:
    """SIGTERM, and SIGKILL where that does not help in time."""
    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await ended.wait()
    except TimeoutError:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        await ended.wait()
