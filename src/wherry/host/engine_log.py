"""The engine's log: one JSON object a line, in the state directory, bounded; and how it is read again."""

import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

from wherry.config import Config

FILE_BYTES = 8 << 20
OLD_FILES = 2
LOOK_SECONDS = 0.2


def path(config: Config) -> Path:
    return config.state / "log" / "engine.log"


class Lines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": moment.replace("+00:00", "Z"), "level": record.levelname.lower(), "logger": record.name}
        line["message"] = record.getMessage()
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Text(logging.Formatter):
    """A record as people read it at a terminal. What led to an error is in the file only."""

    def formatException(self, ei: object) -> str:
        return ""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).rstrip("\n")


class BoundedFile(RotatingFileHandler):
    """Rotates, readable by its owner only. On a full disk lines are lost rather than the engine."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        super().__init__(file, maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8")
        self.setFormatter(Lines())

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return open(descriptor, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: the only other place, stderr, is a file on the same disk."""


def begin(config: Config, *, foreground: bool) -> None:
    """Log into the file, and to stderr as well when somebody looks on."""
    handlers: list[logging.Handler] = [BoundedFile(path(config))]
    if foreground:
        handlers.append(logging.StreamHandler())
        handlers[-1].setFormatter(Text("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=config.log_level.upper(), handlers=handlers)
    logging.captureWarnings(True)


def recent(file: Path, *, since: datetime | None = None, last: int | None = None) -> list[dict[str, str]]:
    """Entries of the rotated files and the current one, oldest first. Raises OSError if there is no log."""
    files = [file.with_name(f"{file.name}.{number}") for number in range(OLD_FILES, 0, -1)]
    entries = [entry for old in files if old.exists() for entry in _entries(old)]
    entries += _entries(file)
    if since is not None:
        entries = [entry for entry in entries if _moment(entry) >= since]
    return entries if last is None else entries[max(len(entries) - last, 0) :]


def follow(
    file: Path, ended: Callable[[], bool], sleep: Callable[[float], None] = time.sleep
) -> Iterator[dict[str, str]]:
    """Entries from now on, through rotations, until `ended` answers true."""
    stream = file.open(encoding="utf-8", errors="replace")
    try:
        stream.seek(0, os.SEEK_END)
        rest = ""
        while True:
            last_round = ended()
            if chunk := stream.read():
                *lines, rest = (rest + chunk).split("\n")
                yield from filter(None, map(_entry, lines))
                continue
            if last_round:
                return
            if _replaced(file, stream.fileno()):
                stream.close()
                stream = file.open(encoding="utf-8", errors="replace")
            sleep(LOOK_SECONDS)
    finally:
        stream.close()


def shown(entry: dict[str, str]) -> str:
    """An entry as people read it: local time, level, where, what."""
    moment = _moment(entry).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    text = f"{moment} {entry.get('level', ''):<7} {entry.get('logger', '')}: {entry.get('message', '')}"
    return f"{text}\n{entry['error']}" if entry.get("error") else text


def ago(text: str, now: datetime) -> datetime:
    """`10m`, `2h`, `1d`, seconds, or a time such as 2030-01-31T12:00:00Z. Raises ValueError."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return now - timedelta(seconds=float(number) * unit)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither a time span like 10m nor a time like 2030-01-31T12:00:00Z") from None
    return moment if moment.tzinfo else moment.astimezone()


def _entries(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", errors="replace") as stream:
        return list(filter(None, map(_entry, stream)))


def _entry(line: str) -> dict[str, str] | None:
    """None for a line that a lost disk or a kill left torn."""
    try:
        entry = json.loads(line)
        datetime.fromisoformat(entry["time"])
    except (ValueError, KeyError, TypeError):
        return None
    return {str(key): str(value) for key, value in entry.items()}


def _moment(entry: dict[str, str]) -> datetime:
    return datetime.fromisoformat(entry["time"])


def _replaced(file: Path, descriptor: int) -> bool:
    try:
        return file.stat().st_ino != os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False
