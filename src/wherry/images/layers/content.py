"""Files as members of a layer: one mode, one owner, and a time that changes with the content. Pure."""

import hashlib
from collections.abc import Iterable, Iterator

from wherry.images.layers.tar import Member

_FIRST = 315_619_200  # 1980-01-02: zip archives know no earlier day
_SPAN = 20 * 365 * 86_400


def file_member(name: str, data: bytes, *, executable: bool = False) -> Member:
    """Web servers make ETags of time and size, so a constant time would hide an edit of equal size from browsers."""
    return Member(name=name, mode=0o755 if executable else 0o644, mtime=content_time(data), data=data)


def content_time(data: bytes) -> int:
    return _FIRST + int.from_bytes(hashlib.sha256(data).digest()[:8]) % _SPAN


def with_directories(members: Iterable[Member], below: str) -> Iterator[Member]:
    """The members, and the directories from `below` down to them; those above belong to lower layers."""
    names: set[str] = set()
    for member in members:
        yield member
        parts = member.name.split("/")[:-1]
        names |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)}
    yield from (Member(name=name, mtime=_FIRST) for name in names if name == below or name.startswith(f"{below}/"))
