"""HAProxy as a program: started when there is something to balance, adopted after a restart of the engine, told by its
command socket who comes and goes, reloaded without a closed listener, and ended. What it is told is in `balancer`.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from wherry import process
from wherry.network import balancer
from wherry.network.balancer import Frontend, Slots

log = logging.getLogger("wherry.network")

_AT_ONCE = 100  # orders in one line: HAProxy reads 16 KiB of it
_LONGEST = 10.0  # seconds until a new worker has taken over, or the old ones have ended


class HAProxy:
    """One HAProxy in master-worker mode, with its files in `directory`.

    That is in memory, and its few files are read and written at once: a thread for each would make a pod that is ready
    wait for its turn five times.
    """

    def __init__(self, directory: Path) -> None:
        self._config = directory / "haproxy.cfg"
        self._pidfile = directory / "haproxy.pid"
        self._master = directory / "haproxy-master.sock"
        self.stats_socket = directory / "haproxy.sock"
        self._found = 0  # the master's process id, once seen
        self._watched, self._pidfd = 0, -1

    async def held(self) -> dict[tuple[str, int], str]:
        """What the running HAProxy listens at, and for which frontend."""
        wanted = balancer.bound(self._current())
        if self.pid():
            return wanted
        # Its worker ends a moment after a master that was killed: till then its ports look like somebody else's.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while not all(can_listen(address, port) for address, port in wanted):  # noqa: ASYNC110 - no socket tells
                    await asyncio.sleep(0.01)
        return {}

    def pid(self) -> int:
        """The master's process id, 0 if it does not run. Blocking, but never long."""
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

    async def apply(self, fronts: Sequence[Frontend]) -> None:
        """Make HAProxy lead to these endpoints; with nothing to listen at, make it end.

        Only another set of ports makes it load its configuration anew.
        """
        pid = self.pid()
        if not fronts:
            await self.stop()
            return
        current = self._current()
        before = balancer.seats(current)
        slots = balancer.seat(fronts, before)
        config = balancer.render(fronts, slots, self.stats_socket)
        if not pid:
            await self._check(config)
            await self._start()
        elif balancer.shape(config) != balancer.shape(current) or not await self._told(before, slots):
            await self._check(config)
            await self._reload(pid)
        elif config != current:
            _write(self._config, config)

    async def _told(self, before: Slots, slots: Slots) -> bool:
        """Tell the running HAProxy who comes and goes; False if it does not do so."""
        orders = balancer.orders(before, slots)
        if not orders:
            return True
        try:
            state, words = "", [*orders, "show servers state"]
            for first in range(0, len(words), _AT_ONCE):
                state = await _talk(self.stats_socket, ";".join(words[first : first + _AT_ONCE]))
        except (OSError, TimeoutError) as error:
            log.warning("haproxy does not answer: %s", error or "no end after 5 s")
            return False
        if not balancer.obeyed(state, slots):
            log.warning("haproxy did not do as told; it is reloaded")
            return False
        return True

    def on_end(self, call: Callable[[], None]) -> None:
        """Call once when the HAProxy that runs now has ended, by whatever cause. Blocking, but never long."""
        pid = self.pid()
        if pid in (0, self._watched):
            return
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            call()
            return
        self.unwatch()
        self._watched, self._pidfd = pid, pidfd

        def ended() -> None:
            self.unwatch()
            call()

        asyncio.get_running_loop().add_reader(pidfd, ended)

    def unwatch(self) -> None:
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._watched, self._pidfd = 0, -1

    async def stop(self) -> None:
        """End our own HAProxy, if it runs."""
        pid = self.pid()
        self._config.unlink(missing_ok=True)
        if not pid:
            return
        if not await asyncio.to_thread(process.finish, pid, _LONGEST):
            log.warning("haproxy (pid %d) did not end in %g s and was killed", pid, _LONGEST)

    async def _check(self, config: str) -> None:
        """Write the file if HAProxy accepts it; ProgramError quotes why not, and the old one stays."""
        part = self._config.with_suffix(".part")
        await asyncio.to_thread(_write, part, config)
        await process.run("haproxy", "-c", "-q", "-f", str(part))
        await asyncio.to_thread(part.replace, self._config)

    async def _start(self) -> None:
        argv = ("haproxy", "-W", "-D", "-f", str(self._config), "-p", str(self._pidfile))
        # Waits for nobody: with -D the program returns once the listeners are open.
        await asyncio.to_thread(_launch, (*argv, "-S", f"{self._master},mode,600"), self._config.with_suffix(".log"))
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
                while (now := await self.worker()) in (0, before):  # noqa: ASYNC110 - it does not tell
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            raise process.ProgramError(f"haproxy: no new worker within {_LONGEST:g} s") from error
        return now

    async def worker(self) -> int:
        """The current worker's process id, 0 while there is none (the master is just starting anew)."""
        try:
            answer = await _talk(self._master, "show proc")
        except (OSError, TimeoutError):
            return 0
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


async def _talk(path: Path, words: str) -> str:
    """One line to a command socket of HAProxy, and its answer. Raises OSError or TimeoutError."""
    async with asyncio.timeout(5.0):
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(words.encode() + b"\n")
            writer.write_eof()  # else the master waits for more to say
            return (await reader.read(-1)).decode("ascii", errors="replace")
        finally:
            writer.close()


def _launch(argv: Sequence[str], told: Path) -> None:
    """Without pipes: HAProxy would inherit one, and whoever reads it would wait for HAProxy's end. Blocking."""
    with told.open("wb") as file:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False, timeout=_LONGEST)
    if done.returncode:
        raise process.ProgramError(
            f"haproxy: exit {done.returncode}: {told.read_text('utf-8', errors='replace')[-2000:]}"
        )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
