"""Files that are there whole or not at all: written beside their place, then renamed into it. And locks by files."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

OWN, ANYONE = 0o600, 0o666  # less the umask, as with every new file


@contextlib.contextmanager
def replacing(path: Path, *, mode: int = OWN, sync: bool = False, beside: Path | None = None) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` at the end; after an error there is what was there before.

    With `sync` it is on the disk before that. Until then it is in `beside`, a directory of the same file system.
    """
    part = (beside or path.parent) / f".new-{secrets.token_hex(8)}"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as file:
            yield file
            if sync:
                file.flush()
                os.fsync(descriptor)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write(path: Path, content: bytes | str, *, mode: int = OWN, sync: bool = False) -> None:
    """The whole file, text as UTF-8; the directories above it are made, open to whom the file is."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if mode == OWN else 0o777)
    with replacing(path, mode=mode, sync=sync) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Alone among all processes that lock this file; the kernel gives it back, however a process ends."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


class Held(Exception):
    """Another process has the lock: `pid`, 0 where it has not said so yet."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(f"{path} is held by process {pid}")
        self.pid = pid


def hold(path: Path) -> int:
    """Lock the file and write who has it. Until the descriptor is closed or this process ends. Raises Held."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError:
        pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        os.close(descriptor)
        raise Held(path, int(pid) if pid.isdigit() else 0) from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
