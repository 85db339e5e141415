"""The engine as a process of its own: started in the background, looked after while it comes up, and ended.

It gets its settings by a file of its own, never by the command line, which every user of the machine may read.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wherry import files, process
from wherry.config import PREFIX, SETTINGS, Config, render
from wherry.host import run_directory
from wherry.host.processes import lock_holder

START_SECONDS, STOP_SECONDS = 30.0, 20.0
LOOK_SECONDS = 0.01
WORDS_BYTES = 4096


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


def start(config: Config) -> bool:
    """Bring the engine up and wait until it answers; False if it was up already. Several starts at once are one."""
    mounted = _directory(config.run)
    try:
        with files.locked(config.run / "start.lock"):
            if running(config):
                _wait_for_the_other(config)
                return False
            _launch(config)
            return True
    except BaseException:
        if mounted:  # a start that fails leaves nothing behind
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


def _launch(config: Config) -> None:
    marker, words = config.run / "ready", config.run / "engine.out"
    marker.unlink(missing_ok=True)
    file = settings_file(config)
    files.write(file, render(config))
    ours = {each.variable for each in SETTINGS} | {PREFIX + "CONFIG"}
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    argv = [sys.executable, "-m", "wherry.cli", "node", "run", "--detached", "--config", str(file)]
    with open(os.open(words, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=environment
        )
    try:
        _wait(child, marker, words)
    except BaseException:  # Ctrl-C too: half an engine is none
        child.terminate()
        child.wait()
        raise


def _wait(child: "subprocess.Popen[bytes]", marker: Path, words: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not marker.exists():
        if child.poll() is not None:
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
