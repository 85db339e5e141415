"""HAProxy as a program: started when there is something to balance, adopted after a restart of the engine, reloaded
without a closed listener, and ended. What its configuration says is in `balancer`.
"""

import asyncio
import logging
import os
import signal
import socket
from pathlib import Path

from wherry import process
from wherry.network import balancer

log = logging.getLogger("wherry.network")

_LONGEST = 10.0  # seconds until a new worker has taken over, or the old ones have ended


class HAProxy:
    """One HAProxy in master-worker mode, with its files in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._config = directory / "haproxy.cfg"
        self._pidfile = directory / "haproxy.pid"
        self._master = directory / "haproxy-master.sock"
        self.stats_socket = directory / "haproxy.sock"
        self._found = 0  # the master's process id, once seen

    def held(self) -> frozenset[tuple[str, int]]:
        """What the running HAProxy listens at. Blocking."""
        return balancer.bound(self._current()) if self.pid() else frozenset()

    def pid(self) -> int:
        """The master's process id, 0 if it does not run. Blocking."""
        # While it reloads it has no command line and no pid file for a moment: who is known is only asked to be alive.
        if not (self._found and _is_haproxy(self._found)):
            self._found = self._adopted()
        return self._found

    def _adopted(self) -> int:
        """The master that the files tell of, whoever started it."""
        try:
            pid = int(self._pidfile.read_text("ascii").split()[0])
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError, IndexError):
            return 0
        # The number may be another program's by now.
        return pid if str(self._config).encode() in argv else 0

    async def apply(self, config: str) -> None:
        """Make HAProxy run with `config`; with nothing to listen at, make it end."""
        pid = await asyncio.to_thread(self.pid)
        if not balancer.bound(config):
            await self.stop()
        elif not pid:
            await self._check(config)
            await self._start()
        elif await asyncio.to_thread(self._current) != config:
            await self._check(config)
            await self._reload(pid)

    async def stop(self) -> None:
        """End our own HAProxy, if it runs."""
        pid = await asyncio.to_thread(self.pid)
        if not pid:
            return
        os.kill(pid, signal.SIGTERM)
        try:
            async with asyncio.timeout(_LONGEST):
                while await asyncio.to_thread(self.pid):  # noqa: ASYNC110 - no child of ours: nothing tells
                    await asyncio.sleep(0.02)
        except TimeoutError:
            log.warning("haproxy (pid %d) did not end in %g s", pid, _LONGEST)
            os.kill(pid, signal.SIGKILL)

    async def _check(self, config: str) -> None:
        """Write the file if HAProxy accepts it; ProgramError quotes why not, and the old one stays."""
        part = self._config.with_suffix(".part")
        await asyncio.to_thread(_write, part, config)
        await process.run("haproxy", "-c", "-q", "-f", str(part))
        await asyncio.to_thread(part.replace, self._config)

    async def _start(self) -> None:
        files = ("-f", str(self._config), "-p", str(self._pidfile))
        # Waits for nobody: with -D the program returns once the listeners are open.
        await process.run("haproxy", "-W", "-D", *files, "-S", f"{self._master},mode,600")
        # The master answers a little later; a reload before that could not tell the new worker from the first.
        await self._other_worker(0)

    async def _reload(self, pid: int) -> None:
        """Return when a new worker has the listeners: from then on no new request goes the old way."""
        before = await self._other_worker(0)
        os.kill(pid, signal.SIGUSR2)
        log.debug("haproxy reloaded: worker %d", await self._other_worker(before))

    async def _other_worker(self, before: int) -> int:
        """Wait until the current worker is not `before`; its process id."""
        try:
            async with asyncio.timeout(_LONGEST):
                while (now := await self._worker()) in (0, before):  # noqa: ASYNC110 - it does not tell
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise process.ProgramError(f"haproxy: no new worker within {_LONGEST:g} s") from error
        return now

    async def _worker(self) -> int:
        """The current worker's process id, 0 while there is none (the master is just starting anew)."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(self._master))
        except OSError:
            return 0
        try:
            writer.write(b"show proc\n")
            await writer.drain()
            answer = (await reader.read(65536)).decode("ascii", errors="replace")
        except OSError:
            return 0
        finally:
            writer.close()
        current = answer.partition("# old workers")[0]
        pids = [int(words[0]) for line in current.splitlines() if (words := line.split())[1:2] == ["worker"]]
        return pids[0] if pids else 0

    def _current(self) -> str:
        try:
            return self._config.read_text("utf-8")
        except FileNotFoundError:
            return ""


def _is_haproxy(pid: int) -> bool:
    """Whether the process lives (a zombie does not) and is named so. Blocking."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace")
    except OSError:
        return False
    name, _, rest = stat.partition(" (")[2].rpartition(") ")
    return name == "haproxy" and rest[:1] not in ("Z", "X")


def can_listen(address: str, port: int) -> bool:
    """Whether nobody listens there. Blocking, but never long."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
