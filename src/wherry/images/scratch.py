"""Directories for the length of one build, in the store; what killed builds left goes with the next one.

A build holds a lock on its own directory, which ends with its process: what can be locked is nobody's any more.
"""

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from wherry import files

log = logging.getLogger("wherry.images")

BUILD, CONTEXT = PREFIXES = (".build-", ".context-")


@contextlib.contextmanager
def scratch(store: Path, prefix: str) -> Iterator[Path]:
    """`prefix` is BUILD or CONTEXT."""
    with files.locked(store / "scratch.lock"):  # nobody sees a directory between its making and its lock
        _sweep(store)
        made = tempfile.TemporaryDirectory(dir=store, prefix=prefix)
        held = os.open(made.name, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(held, fcntl.LOCK_SH)
    try:
        with made as name:
            yield Path(name)
    finally:
        os.close(held)
        with files.locked(store / "scratch.lock"):
            _sweep(store)  # again: a program of a killed build may have been ending still


def _sweep(store: Path) -> None:
    for path in (path for prefix in PREFIXES for path in store.glob(f"{prefix}*")):
        try:
            _remove(path)
        except (FileNotFoundError, BlockingIOError):  # its build has just ended, or is under way
            continue
        except OSError as error:
            if error.errno == errno.ENOTEMPTY:  # a program of its build still writes
                continue
            log.warning("%s is left of a build that was killed, and cannot be removed: %s", path, error.strerror)


def _remove(path: Path) -> None:
    held = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path)
    finally:
        os.close(held)
