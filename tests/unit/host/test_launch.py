"""The engine in a process of its own: what it says when it does not come up, and what it is free of."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from wherry.config import PREFIX, Config, load
from wherry.host import launch, run_directory


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    run = Path("/dev/shm") / f"wherry-launch-{os.getpid()}"
    yield replace(load({}, {}, None), state=tmp_path / "st", run=run)
    run_directory.remove(run)


def _says_why_not() -> int:
    os.write(2, b"Error: the well is dry\n")
    return 1


def _raises() -> int:
    raise ValueError("no such thing")


@pytest.mark.parametrize(("engine", "said"), [(_says_why_not, "the well is dry"), (_raises, "no such thing")])
def test_an_engine_that_does_not_come_up_is_quoted(config: Config, engine: Callable[[], int], said: str) -> None:
    with pytest.raises(launch.LaunchError, match=said):
        launch.start(config, engine)


def test_an_engine_that_neither_comes_up_nor_ends_is_killed(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "START_SECONDS", 0.3)
    monkeypatch.setattr(launch, "STOP_SECONDS", 1.0)
    fork, forked = os.fork, list[int]()

    def noted() -> int:
        forked.append(fork())
        return forked[-1]

    def hangs() -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            signal.pause()

    monkeypatch.setattr(os, "fork", noted)

    with pytest.raises(launch.LaunchError, match="did not come up within"):
        launch.start(config, hangs)
    (pid,) = forked
    assert not Path("/proc", str(pid)).exists()


def test_it_is_free_of_its_starter(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = config.run / "seen"
    monkeypatch.setenv(PREFIX + "PORT", "7443")

    def engine() -> int:
        descriptors = [os.path.realpath(f"/proc/self/fd/{each}") for each in os.listdir("/proc/self/fd")]
        ours = [name for name in os.environ if name.startswith(PREFIX)]
        found = {"session": os.getsid(0) == os.getpid(), "descriptors": descriptors, "variables": ours}
        seen.write_text(json.dumps(found))
        (config.run / "ready").touch()
        return 0

    assert launch.start(config, engine)
    found = json.loads(seen.read_text())
    out = str(config.run / "engine.out")
    assert (found["session"], found["variables"]) == (True, [])
    assert found["descriptors"][:3] == [os.devnull, out, out]
    assert str(config.run / "start.lock") not in found["descriptors"]
