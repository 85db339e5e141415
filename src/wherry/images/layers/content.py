"""Files as members of a layer: one mode, one owner, and a time that changes with the content.

A file's time is made from its content, and not that of its last commit: an archive of the sources or a shallow clone
knows no commits, and would give another image.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from wherry.images.layers.tar import Member

_FIRST = 315_619_200  # 1980-01-02: zip archives know no earlier day
_SPAN = 20 * 365 * 86_400


def file_member(name: str, data: bytes | Path, *, executable: bool = False) -> Member:
    """Web servers make ETags of time and size, so a constant time would hide an edit of equal size from browsers."""
    return Member(name=name, mode=0o755 if executable else 0o644, mtime=content_time(data), data=data)


def content_time(data: bytes | Path) -> int:
    return _FIRST + int.from_bytes(sha256(data)[:8]) % _SPAN


def sha256(data: bytes | Path) -> bytes:
    if isinstance(data, bytes):
        return hashlib.sha256(data).digest()
    with data.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def with_directories(members: Iterable[Member], below: str) -> Iterator[Member]:
    """The members, and the directories from `below` down to them; those above belong to lower layers."""
    names: set[str] = set()
    for member in members:
        yield member
        names |= parents(member.name, below)
    yield from map(directory, names)


def directory(name: str) -> Member:
    return Member(name=name, mtime=_FIRST)


def parents(name: str, below: str) -> set[str]:
    """The directories of `name`, from `below` downwards."""
    parts = name.split("/")[:-1]
    every = ("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    return {one for one in every if one == below or one.startswith(f"{below}/")}
