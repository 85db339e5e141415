"""Layers as tar archives: sorted, owners by number, whole seconds, permissions from the executable bit alone.

A directory is written only where the caller names it: on unpacking, its entry would change what a lower layer says.
"""

import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wherry.images.errors import ImageError

_CHUNK = 1 << 20


class Sink(Protocol):
    """Takes an archive's bytes."""

    def write(self, data: bytes, /) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Member:
    """One entry: a file if it has `data`, a symbolic link if it has `target`, else a directory."""

    name: str  # relative, without a slash at either end
    mode: int = 0o755
    mtime: int = 0
    uid: int = 0
    gid: int = 0
    data: bytes | Path | None = None
    target: str = ""


def write_tar(members: Iterable[Member], sink: Sink) -> None:
    """Write them in the order of their names. ImageError if two have one name, or one that a layer must not have."""
    write_entries(_checked(members), sink)


def write_entries(members: Iterable[Member], sink: Sink) -> None:
    """Write them as they come, whatever their names."""
    size = 0
    for member in members:
        for piece in pieces(member):
            sink.write(piece)
            size += len(piece)
    sink.write(ending(size))


def _checked(members: Iterable[Member]) -> Iterator[Member]:
    previous = ""
    for member in sorted(members, key=lambda member: member.name.encode()):
        check_name(member.name, previous)
        previous = member.name
        yield member


def check_name(name: str, previous: str = "") -> None:
    """Raises ImageError where a layer cannot have `name`, after `previous`."""
    parts = name.split("/")
    if not all(parts) or ".." in parts or "." in parts:
        raise ImageError(f"{name!r} cannot be a path in an image")
    if any(part.startswith(".wh.") for part in parts):
        raise ImageError(f"{name}: names that begin with .wh. mean removed files in an image; rename or ignore it")
    if name == previous:
        raise ImageError(f"{name} would be twice in one layer")


def pieces(member: Member) -> Iterator[bytes]:
    """The member as an archive holds it: head, data, padding."""
    match member.data:
        case None:
            yield _head(member, 0)
        case bytes(data):
            yield b"".join((_head(member, len(data)), data, _padding(len(data), tarfile.BLOCKSIZE)))
        case source:
            yield from _read(member, source)


def ending(size: int) -> bytes:
    """What ends an archive of `size` bytes."""
    return bytes(2 * tarfile.BLOCKSIZE) + _padding(size + 2 * tarfile.BLOCKSIZE, tarfile.RECORDSIZE)


def _read(member: Member, source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        left = size = os.fstat(file.fileno()).st_size
        yield _head(member, size)
        while left:
            chunk = file.read(min(_CHUNK, left))
            if not chunk:
                raise ImageError(f"{source} became shorter while it was read; try again")
            yield chunk
            left -= len(chunk)
        yield _padding(size, tarfile.BLOCKSIZE)


def _head(member: Member, size: int) -> bytes:
    info = tarfile.TarInfo(member.name)
    info.mode, info.mtime, info.uid, info.gid = member.mode, member.mtime, member.uid, member.gid
    if member.target:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, member.target, 0o777
    elif member.data is None:
        info.type = tarfile.DIRTYPE
    else:
        info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padding(size: int, block: int) -> bytes:
    return bytes(-size % block)
