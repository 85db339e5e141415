"""CRI logs: which lines, in what form, and following across rotation to the container's end."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wherry.node.logs import Selection, follow, read

FIRST = "2026-01-02T03:04:05.000000001Z"
SECOND = "2026-01-02T03:04:06.000000002Z"


class ScriptedClock:
    """Each sleep takes no time, and does the next thing that happens meanwhile."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = list(steps)

    def now(self) -> datetime:
        return datetime(2026, 1, 2, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        if self._steps:
            self._steps.pop(0)()

    async def running(self) -> bool:
        """The container ends with the script."""
        return bool(self._steps)


async def text(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(lines)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    write(
        path,
        f"{FIRST} stdout F one\n",
        f"{FIRST} stderr F problem\n",
        f"{FIRST} stdout P two, ",
        f"\n{FIRST} stderr F between\n{FIRST} stdout F and more\n",
        f"{SECOND} stdout F three\n",
        f"{SECOND} stdout F incompl",
    )
    return path


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), b"one\nproblem\ntwo, between\nand more\nthree\n"),
        (Selection(stream="Stdout"), b"one\ntwo, and more\nthree\n"),
        (Selection(tail_lines=1), b"three\n"),
        (Selection(tail_lines=0), b""),
        (Selection(tail_lines=99, stream="Stderr"), b"problem\nbetween\n"),
        (Selection(since=datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)), b"three\n"),
        (Selection(limit_bytes=6, stream="Stdout"), b"one\ntw"),
        (Selection(limit_bytes=0), b""),
        (
            Selection(timestamps=True, stream="Stdout"),
            f"{FIRST} one\n{FIRST} two, and more\n{SECOND} three\n".encode(),
        ),
    ],
)
async def test_a_selection_gives_its_whole_lines(log: Path, selection: Selection, expected: bytes) -> None:
    assert await text(read(log, selection)) == expected


@pytest.mark.parametrize("count", [1, 999, 5000, 20_000])
async def test_the_tail_of_a_long_log_is_found_across_blocks(tmp_path: Path, count: int) -> None:
    path = tmp_path / "0.log"
    write(path, *(f"{FIRST} stdout F line {number}\n" for number in range(10_000)))
    lines = (await text(read(path, Selection(tail_lines=count)))).splitlines()
    assert len(lines) == min(count, 10_000)
    assert lines[-1] == b"line 9999"


async def test_a_missing_log_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await text(read(tmp_path / "0.log", Selection()))


async def test_following_goes_across_rotation_and_ends_with_the_container(tmp_path: Path) -> None:
    path = tmp_path / "0.log"

    def rotate() -> None:
        path.rename(tmp_path / "0.log.1")

    clock = ScriptedClock(
        lambda: write(path, f"{FIRST} stdout F appears\n"),
        lambda: write(path, f"{FIRST} stdout F in two "),
        lambda: write(path, "writes\n"),
        rotate,
        lambda: write(tmp_path / "0.log.1", f"{FIRST} stdout F late\n"),
        lambda: write(path, f"{SECOND} stdout F new file\n"),
        lambda: write(tmp_path / "0.log.1", f"{FIRST} stdout F latest\n"),
        lambda: write(path, f"{SECOND} stdout F last words\n"),
    )
    got = await text(follow(path, Selection(), clock.running, clock))
    assert got == b"appears\nin two writes\nlate\nlatest\nnew file\nlast words\n"


async def test_following_starts_at_the_tail_and_stops_at_the_limit(log: Path) -> None:
    clock = ScriptedClock(lambda: write(log, "ete\n"), lambda: write(log, f"{SECOND} stdout F four\n"))
    got = await text(follow(log, Selection(tail_lines=1, limit_bytes=18), clock.running, clock))
    assert got == b"three\nincomplete\nf"


async def test_following_a_container_that_ended_without_a_log_ends(tmp_path: Path) -> None:
    clock = ScriptedClock()
    assert await text(follow(tmp_path / "0.log", Selection(), clock.running, clock)) == b""
