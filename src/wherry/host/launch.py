"""The engine as a process of its own: started in the background, looked after while it comes up, and ended.

It is a fork of the command that starts it: what that has loaded need not be loaded a second time (ADR 25).
"""

import contextlib
import gc
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from wherry import files, process
from wherry.config import PREFIX, Config, render
from wherry.host import run_directory
from wherry.host.processes import lock_holder

START_SECONDS, STOP_SECONDS = 30.0, 20.0
LOOK_SECONDS = 0.01
WORDS_BYTES = 4096
_ENDING = (signal.SIGINT, signal.SIGTERM)


class LaunchError(Exception):
    """The engine did not come up or go down; the message says why."""


@dataclass(frozen=True)
class Engine:
    """A running engine. `ready` is false while it still starts."""

    pid: int
    ready: bool


def running(config: Config) -> Engine | None:
    """The engine that holds this state directory. Raises PermissionError where only root may know."""
    pid = lock_holder(config.state / "db" / "lock")
    return None if pid is None else Engine(pid, (config.run / "ready").exists())


def start(config: Config, engine: Callable[[], int]) -> bool:
    """Bring the engine up and wait until it answers; False if it was up already. Several starts at once are one.

    `engine` is called in a process of its own, says on stderr what fails, and returns that process's exit code.
    """
    mounted = _directory(config.run)
    try:
        with files.locked(config.run / "start.lock"):
            if running(config):
                _wait_for_the_other(config)
                return False
            _launch(config, engine)
            return True
    except BaseException:
        # A start that fails leaves nothing behind; a containerd that it has launched is for the next one to adopt.
        _, containerd, _ = config.containerd
        if mounted and not containerd.exists():
            run_directory.remove(config.run)
        raise


def stop(config: Config) -> bool:
    """SIGTERM, and wait for the end; False if there was no engine."""
    engine = running(config)
    if engine is None:
        return False
    if not process.end(engine.pid, signal.SIGTERM, STOP_SECONDS):
        raise LaunchError(f"process {engine.pid} has not ended after {STOP_SECONDS:g} s")
    return True


@contextlib.contextmanager
def holding(config: Config) -> Iterator[None]:
    """For the engine itself: two on one run directory would take each other's sockets. Raises LaunchError."""
    _directory(config.run)
    try:
        descriptor = files.hold(config.run / "lock")
    except files.Held as held:
        raise LaunchError(f"{config.run} is in use by process {held.pid}: choose another by --run-dir") from None
    try:
        yield
    finally:
        os.close(descriptor)


def settings_file(config: Config) -> Path:
    """Where the running engine's settings are, as TOML."""
    return config.run / "config.toml"


def _launch(config: Config, engine: Callable[[], int]) -> None:
    marker, words = config.run / "ready", config.run / "engine.out"
    marker.unlink(missing_ok=True)
    files.write(settings_file(config), render(config))
    gc.freeze()  # looking for garbage in what both processes have would copy its pages, and hold up the end of this one
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # what comes within the fork would be lost
    try:
        pid = os.fork()
    except OSError:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        raise
    if not pid:
        _detached(words, engine)
    child = _Child(pid)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)  # Ctrl-C is here as soon as it may be
        _wait(child, marker, words)
    except BaseException:  # half an engine is none
        child.end()
        raise


class _Child:
    """A forked process, until it is known to have ended: its number may be another's then."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._alive = True

    def alive(self) -> bool:
        if self._alive:
            try:
                self._alive = not os.waitpid(self.pid, os.WNOHANG)[0]
            except ChildProcessError:  # whoever started us ignores the ends of children
                self._alive = False
        return self._alive

    def end(self) -> None:
        if self.alive():
            process.finish(self.pid, STOP_SECONDS)
            self.alive()  # so that it does not stay as a zombie


def _detached(words: Path, engine: Callable[[], int]) -> NoReturn:
    """The forked process: a session of its own, and nothing left of its starter's terminal, locks and environment."""
    code = os.EX_SOFTWARE
    try:
        os.setsid()
        for number in _ENDING:
            signal.signal(number, signal.SIG_DFL)  # what the command does at Ctrl-C is not for the engine
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        out = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (out, 1), (out, 2)):
            os.dup2(source, target)
        for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
            if descriptor > 2:
                with contextlib.suppress(OSError):  # that of the listing itself
                    os.close(descriptor)
        # The command may have put its drawing in their place, with locks that a thread of its held.
        sys.stdout = sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            del os.environ[name]  # the programs that the engine runs need none of them
        code = engine()
    except BaseException:  # noqa: BLE001 - nobody above this would say what it was
        traceback.print_exc()
    finally:
        os._exit(code)


def _wait(child: _Child, marker: Path, words: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not marker.exists():
        if not child.alive():
            raise LaunchError(f"the engine did not come up: {_last_words(words)}")
        if time.monotonic() > end:
            raise LaunchError(f"the engine did not come up within {START_SECONDS:g} s: `wherry node logs` has more")
        time.sleep(LOOK_SECONDS)


def _wait_for_the_other(config: Config) -> None:
    """Somebody else started it in the foreground, or a moment ago."""
    end = time.monotonic() + START_SECONDS
    while (engine := running(config)) and not engine.ready:
        if time.monotonic() > end:
            raise LaunchError(
                f"process {engine.pid} is not ready after {START_SECONDS:g} s: `wherry node logs` has more"
            )
        time.sleep(LOOK_SECONDS)


def _last_words(words: Path) -> str:
    said = words.read_text(errors="replace").strip()[-WORDS_BYTES:]
    found, _, message = said.rpartition("Error: ")
    if said.startswith("Error: ") or "\nError: " in said:
        return message if found else said.removeprefix("Error: ")
    return f"{said.splitlines()[-1]} (all of it in {words})" if said else "it ended without a word"


def _directory(path: Path) -> bool:
    """Whether it was mounted."""
    try:
        return run_directory.make(path)
    except OSError as error:
        raise LaunchError(f"{path} cannot be used ({error.strerror or error}): choose another by --run-dir") from None
