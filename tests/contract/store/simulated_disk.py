"""SQLite file layers for tests: one that records what a power loss could take, one that fails on request."""

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import apsw

SECTOR = 512


@dataclass(frozen=True)
class Op:
    """One thing that was done to a file; `name` is its name in the directory."""

    kind: Literal["write", "truncate", "sync", "delete"]
    name: str
    offset: int = 0
    data: bytes = b""


class RecordingDisk(apsw.VFS):
    """Passes everything on and writes it down in `log`, where the test adds marks of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: list[Any] = []
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _RecordedFile(self.log, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.log.append(Op("delete", Path(filename).name))
        super().xDelete(filename, syncdir)


class _RecordedFile(apsw.VFSFile):
    def __init__(self, log: list[Any], name: Any, flags: list[int]) -> None:
        self._log = log
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name or "temporary").name
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:
        self._log.append(Op("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._log.append(Op("truncate", self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._log.append(Op("sync", self._name))


@dataclass
class Platter:
    """What is certainly on the disk, and what was written since the last sync of each file."""

    safe: dict[str, bytearray] = field(default_factory=dict)
    loose: dict[str, list[Op]] = field(default_factory=dict)

    def do(self, op: Op) -> None:
        if op.kind == "delete":  # taken as durable at once
            self.safe.pop(op.name, None)
            self.loose.pop(op.name, None)
        elif op.kind == "sync":
            for loose in self.loose.pop(op.name, ()):
                _apply(self.safe.setdefault(op.name, bytearray()), loose, len(loose.data))
        else:
            self.loose.setdefault(op.name, []).append(op)

    def after_power_loss(self, chance: random.Random, directory: Path) -> None:
        """Write the files as they may be found: of the unsynced writes some are lost, some torn, in any order."""
        for name in {*self.safe, *self.loose}:
            image = bytearray(self.safe.get(name, b""))
            for op in self.loose.get(name, ()):
                luck = chance.random()
                if luck < 0.4:
                    continue
                torn = luck < 0.6 and len(op.data) > SECTOR
                _apply(image, op, SECTOR * chance.randrange(len(op.data) // SECTOR) if torn else len(op.data))
            (directory / name).write_bytes(image)


def _apply(image: bytearray, op: Op, length: int) -> None:
    if op.kind == "truncate":
        del image[op.offset :]
        return
    image.extend(b"\0" * (op.offset - len(image)))
    image[op.offset : op.offset + length] = op.data[:length]


class FailingDisk(apsw.VFS):
    """Passes everything on, except what `write` and `sync` name an error for."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.write: type[apsw.Error] | None = None
        self.sync: type[apsw.Error] | None = None
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _FailingFile(self, name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(self, disk: FailingDisk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:
        if self._disk.write is not None:
            raise self._disk.write("the disk said no")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if self._disk.sync is not None:
            raise self._disk.sync("the disk said no")
        super().xSync(flags)
