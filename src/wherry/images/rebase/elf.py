"""What an ELF file says of itself: the libraries and symbol versions that it needs, and those that it gives. Pure."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAGIC = b"\x7fELF"
_LOAD, _DYNAMIC = 1, 2
_NEEDED, _STRTAB, _SONAME = 1, 5, 14
_VERDEF, _VERDEFNUM, _VERNEED, _VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_MOST = 10_000  # entries of one table: a file with more is damaged


@dataclass(frozen=True)
class Elf:
    """A program or library. `versions`: for each library that is needed the symbol versions of it."""

    soname: str = ""
    needed: tuple[str, ...] = ()
    versions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    gives: frozenset[str] = frozenset()  # versions of its own symbols


def read(data: bytes) -> Elf | None:
    """The file's facts; None for what is no ELF file, is static, or is damaged."""
    if data[:4] != MAGIC or len(data) < 52:
        return None
    try:
        return _Reader(data).elf()
    except (struct.error, IndexError, UnicodeDecodeError, ValueError):
        return None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._wide = data[4] == 2
        self._order = "<" if data[5] == 1 else ">"
        self._segments = list(self._read_segments())
        self._strings = 0

    def elf(self) -> Elf | None:
        place = next(((offset, size) for kind, offset, _, size in self._segments if kind == _DYNAMIC), None)
        if place is None:
            return None
        entries = list(self._dynamic(*place))
        tags = dict(entries)
        self._strings = self._offset(tags[_STRTAB]) if _STRTAB in tags else 0
        versions: dict[str, frozenset[str]] = {}
        if _VERNEED in tags:
            versions = dict(self._versions_needed(self._offset(tags[_VERNEED]), tags.get(_VERNEEDNUM, 0)))
        gives: frozenset[str] = frozenset()
        if _VERDEF in tags:
            gives = frozenset(self._versions_given(self._offset(tags[_VERDEF]), tags.get(_VERDEFNUM, 0)))
        soname = self._text(tags[_SONAME]) if _SONAME in tags else ""
        return Elf(soname, tuple(self._text(value) for tag, value in entries if tag == _NEEDED), versions, gives)

    def _unpack(self, form: str, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(self._order + form, self._data, offset)

    def _read_segments(self) -> Iterator[tuple[int, int, int, int]]:
        """(kind, offset, address, size in the file)"""
        if self._wide:
            (start,) = self._unpack("Q", 32)
            size, count = self._unpack("HH", 54)
        else:
            (start,) = self._unpack("I", 28)
            size, count = self._unpack("HH", 42)
        for number in range(count):
            at = start + number * size
            if self._wide:
                kind, _, offset, address, _, in_file = self._unpack("IIQQQQ", at)
            else:
                kind, offset, address, _, in_file = self._unpack("IIIII", at)
            yield kind, offset, address, in_file

    def _dynamic(self, offset: int, size: int) -> Iterator[tuple[int, int]]:
        form, step = ("qQ", 16) if self._wide else ("iI", 8)
        for at in range(offset, offset + size, step):
            tag, value = self._unpack(form, at)
            if tag == 0:
                return
            yield tag, value

    def _offset(self, address: int) -> int:
        for kind, offset, start, size in self._segments:
            if kind == _LOAD and start <= address < start + size:
                return offset + address - start
        raise ValueError(address)

    def _text(self, at: int) -> str:
        start = self._strings + at
        return self._data[start : self._data.index(b"\0", start)].decode()

    def _versions_needed(self, at: int, count: int) -> Iterator[tuple[str, frozenset[str]]]:
        for _ in range(min(count, _MOST)):
            _, names, file, first, following = self._unpack("HHIII", at)
            yield self._text(file), frozenset(self._names(at + first, names, "IHHII", 3))
            at += following

    def _versions_given(self, at: int, count: int) -> Iterator[str]:
        for _ in range(min(count, _MOST)):
            _, _, _, names, _, first, following = self._unpack("HHHHIII", at)
            yield from list(self._names(at + first, names, "II", 0))[:1]  # those after it are its parents
            at += following

    def _names(self, at: int, count: int, form: str, name: int) -> Iterator[str]:
        for _ in range(min(count, _MOST)):
            values = self._unpack(form, at)
            yield self._text(values[name])
            at += values[-1]
