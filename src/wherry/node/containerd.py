"""A containerd of the node's own: its config, its process, its end.

It runs detached, so that pods outlive this process; `start` adopts the one that a pidfile names. The pidfile holds the
process's start time too, as a pid alone may be another's by now.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.node import sandbox_image
from wherry.node.content import import_archive
from wherry.node.cri import CriRuntime
from wherry.node.runtime import RuntimeFailure
from wherry.process import ProgramError, run

# What a node does not use, or what would only probe for devices at each start.
_DISABLED = (
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
)
_START_SECONDS = 20.0
_STOP_SECONDS = 10.0
_LOG_BYTES = 10 << 20
# The shell writes the pidfile: this process may die at any time, and a containerd that nobody knows holds its lock.
_LAUNCH = """
log=$1 pidfile=$2; shift 2
setsid "$@" </dev/null >>"$log" 2>&1 &
set -- $(cat /proc/$!/stat) && echo "$1 ${22}" >"$pidfile"
"""


def _launch(argv: Sequence[str]) -> None:
    """Without pipes: containerd must not inherit one, or whoever reads it would wait for containerd's end."""
    subprocess.run(
        ("sh", "-c", _LAUNCH, "sh", *argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=30,
    )


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for a later one of the same pid."""

    pid: int
    started: int  # field 22 of /proc/PID/stat, in clock ticks since boot

    def alive(self) -> bool:
        return find_process(self.pid) == self


def find_process(pid: int) -> Process | None:
    """The living process of that pid; a zombie is not alive."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else Process(pid, int(fields[19]))


def render_config(root: Path, state: Path, cni_conf: Path, cni_bin: Sequence[Path], registry: Path) -> str:
    """containerd's config (version 2). JSON strings are TOML strings.

    Every `stats_collect_period` containerd walks the files of all containers, for a disk usage that nothing asks for.
    """
    cri = '[plugins."io.containerd.grpc.v1.cri"'
    return f"""version = 2
root = {json.dumps(str(root))}
state = {json.dumps(str(state))}
disabled_plugins = {json.dumps(list(_DISABLED))}

[grpc]
address = {json.dumps(str(state / "containerd.sock"))}

{cri}]
sandbox_image = {json.dumps(sandbox_image.REFERENCE)}
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
stream_server_address = "127.0.0.1"
stream_server_port = "0"
stats_collect_period = 3600

{cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

{cri}.containerd.runtimes.runc.options]
Root = {json.dumps(str(state / "runc"))}

{cri}.cni]
bin_dir = {json.dumps(":".join(map(str, cni_bin)))}
conf_dir = {json.dumps(str(cni_conf))}

{cri}.registry]
config_path = {json.dumps(str(registry))}
"""


class Containerd:
    """The private containerd with its data in `root` (kept) and its sockets, mounts and shims' state in `state`."""

    def __init__(
        self,
        root: Path,
        state: Path,
        cni_conf: Path,
        *,
        cni_bin: Sequence[Path] = (Path("/usr/lib/cni"),),
        registry_config: Path | None = None,
    ) -> None:
        self.root = root
        self.state = state
        self.socket = str(state / "containerd.sock")
        self.log = root / "containerd.log"
        self._config = root / "containerd.toml"
        self._pidfile = state / "containerd.pid"
        registry = registry_config or root / "certs.d"
        self._wanted = render_config(root / "data", state, cni_conf, cni_bin, registry)

    def process(self) -> Process | None:
        """The one that runs, if it does."""
        try:
            pid, started = map(int, self._pidfile.read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        known = Process(pid, started)
        return known if known.alive() else None

    async def start(self) -> None:
        """Adopt the running one, or start one; returns when the CRI answers and the sandbox image is there."""
        running = self.process()
        if running and self._configured():
            await self._ready(running)
            return
        if running:  # another config: a restart leaves the containers running
            await self.stop()
        self._prepare()
        argv = (str(self.log), str(self._pidfile), "containerd", "-c", str(self._config), "-l", "warn")
        await asyncio.to_thread(_launch, argv)
        process = self.process()
        if process is None:
            raise ProgramError(f"containerd: ended at once: {self._last_words()}")
        await self._ready(process)

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
        self._pidfile.unlink(missing_ok=True)

    async def remove(self) -> None:
        """Stop and remove every pod, then containerd, its mounts and all its data."""
        if self._config.exists():
            await self.start()
            async with CriRuntime(self.socket) as runtime:
                await asyncio.gather(*(_remove_pod(runtime, pod.id) for pod in await runtime.sandboxes()))
        await self.stop()
        for path in self._mounts():
            await run("umount", "-l", path, check=False)
        for directory in (self.root, self.state):
            await asyncio.to_thread(shutil.rmtree, directory, True)

    def _configured(self) -> bool:
        return self._config.exists() and self._config.read_text() == self._wanted

    def _prepare(self) -> None:
        for path in (self.root, self.state):
            path.mkdir(parents=True, exist_ok=True, mode=0o711)
        self._config.write_text(self._wanted)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    async def _ready(self, process: Process) -> None:
        async with CriRuntime(self.socket) as runtime:
            try:
                async with asyncio.timeout(_START_SECONDS):
                    await self._answering(runtime, process)
            except TimeoutError as error:
                words = self._last_words()
                raise ProgramError(f"containerd: no answer after {_START_SECONDS:g} s: {words}") from error
            if await runtime.image(sandbox_image.REFERENCE) is None:
                try:
                    archive = await asyncio.to_thread(sandbox_image.sandbox_archive)
                except FileNotFoundError as error:
                    raise ProgramError(f"{error.filename}: not found; pods need it (package catatonit)") from error
                await import_archive(self.socket, archive)

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


async def _remove_pod(runtime: CriRuntime, sandbox_id: str) -> None:
    await runtime.stop_sandbox(sandbox_id)
    await runtime.remove_sandbox(sandbox_id)


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
