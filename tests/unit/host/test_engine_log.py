"""The engine's log: JSON lines, bounded, read back in order."""

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wherry.host import engine_log
from wherry.host.engine_log import BoundedFile, ago, follow, recent, shown


def logger(file: Path) -> tuple[logging.Logger, BoundedFile]:
    handler = BoundedFile(file)
    found = logging.Logger("wherry.test")
    found.addHandler(handler)
    return found, handler


def test_each_line_is_an_object_that_only_its_owner_may_read(tmp_path: Path) -> None:
    file = tmp_path / "log" / "engine.log"
    log, handler = logger(file)
    log.warning("disk %s\nfull", "sda")
    try:
        raise ValueError("inner")
    except ValueError:
        log.exception("failed")
    handler.close()
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("warning", "wherry.test", "disk sda\nfull")
    assert "ValueError: inner" in second["error"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_it_is_bounded_and_read_back_across_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_log, "FILE_BYTES", 2000)
    file = tmp_path / "engine.log"
    log, handler = logger(file)
    for number in range(200):
        log.info("line %d", number)
    handler.close()
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 3 * 2000
    told = [entry["message"] for entry in recent(file)]
    assert told == [f"line {number}" for number in range(200 - len(told), 200)]
    assert [entry["message"] for entry in recent(file, last=2)] == ["line 198", "line 199"]
    assert recent(file, last=0) == []
    assert recent(file, since=datetime.now(UTC) + timedelta(seconds=5)) == []


def test_a_full_disk_loses_lines_and_not_the_engine() -> None:
    handler = BoundedFile(Path("/dev/full"))
    handler.maxBytes = 0
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "message", None, None))
    with pytest.raises(OSError, match="No space left"):
        handler.close()


def test_following_goes_through_a_rotation_and_ends_with_the_engine(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    log, handler = logger(file)
    log.info("before")
    steps = iter(["one", "", "two"])

    def sleep(_: float) -> None:
        step = next(steps, None)
        if step:
            log.info(step)
        elif step == "":
            handler.doRollover()

    rounds = iter([False] * 4)
    told = [entry["message"] for entry in follow(file, lambda: next(rounds, True), sleep)]
    handler.close()
    assert told == ["one", "two"]


def test_torn_lines_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "engine.log"
    file.write_text('{"time": "2030-01-01T00:00:00Z", "level": "info", "message": "whole"}\n{"time": "20\nnoise\n[]\n')
    (entry,) = recent(file)
    assert shown(entry).endswith("info    : whole")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400), ("0.5h", 1800)]
)
def test_spans_of_time(text: str, seconds: int) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert now - ago(text, now) == timedelta(seconds=seconds)


def test_a_point_in_time_or_what_would_do() -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert ago("2029-12-31T00:00:00Z", now) == now - timedelta(days=1)
    with pytest.raises(ValueError, match="neither a time span like 10m nor a time"):
        ago("yesterday", now)
