"""Layers as tar archives: sorted, owners by number, whole seconds, permissions from the executable bit alone.

A directory is written only where the caller names it: on unpacking, its entry would change what a lower layer says.
"""

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wherry.images.errors import ImageError


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
    previous = ""
    with tarfile.open(fileobj=_Writer(sink), mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 16) as archive:
        for member in sorted(members, key=lambda member: member.name.encode()):
            _check(member.name, previous)
            previous = member.name
            _add(archive, member)


def _check(name: str, previous: str) -> None:
    parts = name.split("/")
    if not all(parts) or ".." in parts or "." in parts:
        raise ImageError(f"{name!r} cannot be a path in an image")
    if any(part.startswith(".wh.") for part in parts):
        raise ImageError(f"{name}: names that begin with .wh. mean removed files in an image; rename or ignore it")
    if name == previous:
        raise ImageError(f"{name} would be twice in one layer")


def _add(archive: tarfile.TarFile, member: Member) -> None:
    info = tarfile.TarInfo(member.name)
    info.mode, info.mtime, info.uid, info.gid = member.mode, member.mtime, member.uid, member.gid
    if member.target:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, member.target, 0o777
        archive.addfile(info)
    elif member.data is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
    elif isinstance(member.data, bytes):
        info.size = len(member.data)
        archive.addfile(info, io.BytesIO(member.data))
    else:
        with member.data.open("rb") as file:
            info.size = member.data.stat().st_size
            archive.addfile(info, file)


class _Writer(io.RawIOBase):
    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._sink.write(bytes(data))  # type: ignore[call-overload]
