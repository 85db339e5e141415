"""Termination messages: what a container left in its file, or else in its log's last lines. Blocking: for a thread."""

import os
from pathlib import Path

from wherry.node.runtime import Container
from wherry.node.runtime_spec import MESSAGE_FILE, MESSAGE_POLICY

MOST_BYTES = 4096
_LOG_BYTES, _LOG_LINES = 2048, 80


def termination_message(container: Container) -> str:
    """The message of an ended container, "" if it left none."""
    text = _read(container.annotations.get(MESSAGE_FILE, ""))
    if text or not container.exit_code or container.annotations.get(MESSAGE_POLICY) != "FallbackToLogsOnError":
        return text
    return _log_tail(container.log_path)


def _read(path: str) -> str:
    """The container may have put anything there: only a plain file is read, and only its beginning."""
    if not path:
        return ""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(MOST_BYTES).decode(errors="replace")


def _log_tail(path: str) -> str:
    """The last lines, without the runtime's time, stream and tag."""
    try:
        with Path(path).open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 2 * _LOG_BYTES - 80 * _LOG_LINES, 0))
            raw = file.read()
    except OSError:
        return ""
    lines = [line.split(b" ", 3) for line in raw.splitlines()[-_LOG_LINES:]]
    text = b"".join(parts[3] + (b"\n" if parts[2] == b"F" else b"") for parts in lines if len(parts) == 4)
    return text[-_LOG_BYTES:].decode(errors="replace")
