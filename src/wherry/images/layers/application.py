"""The app's own layer. After an edit, what did not change is taken from the layer before, byte by byte.

What was last made of a folder is noted beside the layout; without the note everything is read anew, and the layer is
the same.
"""

import asyncio
import contextlib
import hashlib
import json
import mmap
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.images.errors import ImageError
from wherry.images.layers.content import directory, file_member, parents
from wherry.images.layers.interpreter import Interpreter
from wherry.images.layers.selection import Selection, select
from wherry.images.layers.tar import Member, check_name, ending, pieces
from wherry.images.layout import LAYER, Descriptor, Layout

APP = "app"
FORMAT = 2
_LARGE = 4 << 20  # bytes; larger files are not held in memory
_RACE = 50_000_000  # ns before the last scan in which a change may have left the same time

Place = tuple[int, int]
"""Offset and length of an entry in the layer before."""


@dataclass(frozen=True)
class AppLayer:
    """The layer, and what of the folder is in it. `first`: there was no note of it."""

    descriptor: Descriptor
    selection: Selection
    first: bool


@dataclass(frozen=True)
class _Note:
    """What was made of the folder last: how its files were, and where the layer has their entries."""

    made: int = 0
    interpreter: str = ""
    rules: str = ""
    digest: str = ""
    size: int = 0
    files: Mapping[str, list[int]] = field(default_factory=dict)
    members: Mapping[str, Place] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)


async def app_layer(folder: Path, layout: Layout, cache: Path, interpreter: Interpreter) -> AppLayer:
    """Raises ImageError where a file cannot be in an image."""
    path = cache / "apps" / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]}.json"
    note = await asyncio.to_thread(_read, path, layout, interpreter.id)
    begun = time.time_ns()
    selection = await asyncio.to_thread(select, folder, note.files, note.rules)
    stats = {name: _key(stat) for name, stat in selection.files.items()}
    changed = [name for name, key in stats.items() if not _same(note, name, key)]
    directories = sorted(selection.directories)
    if not changed and note.digest and stats.keys() == note.files.keys() and directories == note.directories:
        return AppLayer(Descriptor(LAYER, note.digest, note.size), selection, first=False)
    fresh = await asyncio.to_thread(lambda: [_member(folder, name) for name in changed])
    sources = {one.name: one.data for one in fresh if isinstance(one.data, bytes) and one.name.endswith(".py")}
    code = await interpreter.compile(sources, keep=False)
    compiled = [Member(name=name, mode=0o644, mtime=0, data=data) for name, data in code.items()]
    kept = _kept(note, set(stats) - set(changed), interpreter)
    folders = [directory(f"{APP}/{path}") for path in directories]
    layer, members = await asyncio.to_thread(_write, layout, note, kept, [*fresh, *compiled, *folders])
    made = _Note(begun, interpreter.id, selection.rules, layer.digest, layer.size, stats, members, directories)
    await asyncio.to_thread(_note, path, made)
    return AppLayer(layer, selection, first=not note.digest)


def _key(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_mode]


def _same(note: _Note, name: str, key: list[int]) -> bool:
    return note.files.get(name) == key and max(key[1], key[2]) < note.made - _RACE


def _kept(note: _Note, unchanged: set[str], interpreter: Interpreter) -> dict[str, Place]:
    """The entries of unchanged files, their bytecode included."""
    names = [f"{APP}/{path}" for path in unchanged]
    names += [interpreter.place(name) for name in names if name.endswith(".py")]
    return {name: note.members[name] for name in names if name in note.members}


def _member(folder: Path, path: str) -> Member:
    source, name = folder / path, f"{APP}/{path}"
    check_name(name)
    if source.is_symlink():
        target = source.resolve()
        if not target.is_relative_to(folder.resolve()):
            raise ImageError(f"{source} is a link out of the folder: an image cannot hold what it means")
        return Member(name=name, target=os.path.relpath(target, source.parent.resolve()))
    if not source.is_file():
        raise ImageError(f"{source} is neither a file nor a link; ignore it in .dockerignore")
    try:
        stat = source.stat()
        data = source if stat.st_size > _LARGE else source.read_bytes()
        return file_member(name, data, executable=bool(stat.st_mode & 0o100))
    except OSError as error:
        raise ImageError(f"{source}: {error.strerror}") from error


def _write(
    layout: Layout, note: _Note, kept: Mapping[str, Place], fresh: list[Member]
) -> tuple[Descriptor, dict[str, Place]]:
    """The layer, and where it has what."""
    new = {one.name: one for one in fresh}
    names = {*kept, *new}
    folders = {one for name in names for one in parents(name, APP)} or {APP}
    new |= {name: directory(name) for name in folders}
    members: dict[str, Place] = {}
    with layout.writer() as blob, _opened(layout, note.digest if kept else "") as before:
        for name in sorted(names | folders, key=str.encode):
            start = blob.size
            if name in new:
                for piece in pieces(new[name]):
                    blob.write(piece)
            else:
                offset, length = kept[name]
                blob.write(before[offset : offset + length])
            members[name] = (start, blob.size - start)
        blob.write(ending(blob.size))
        return blob.commit(LAYER), members


@contextlib.contextmanager
def _opened(layout: Layout, digest: str) -> Iterator[mmap.mmap | bytes]:
    """The layer before, mapped into memory."""
    if not digest:
        yield b""
        return
    with layout.path(digest).open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        yield mapped


def _read(path: Path, layout: Layout, interpreter: str) -> _Note:
    """An empty one where there is none, or where it cannot be used."""
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        note = _Note(**value["note"])
        usable = value["format"] == FORMAT and note.interpreter == interpreter
        return note if usable and layout.path(note.digest).stat().st_size == note.size else _Note()
    except (OSError, ValueError, KeyError, TypeError, ImageError):
        return _Note()


def _note(path: Path, note: _Note) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(number, "w") as file:
            json.dump({"format": FORMAT, "note": vars(note)}, file)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sizes(folder: Path, paths: tuple[str, ...], most: int = 20_000) -> Iterator[tuple[str, int]]:
    """Bytes of what was left out; of large directories at least so much."""
    for path in paths:
        whole = folder / path
        if not whole.is_dir() or whole.is_symlink():
            yield path, whole.lstat().st_size
            continue
        size = 0
        for place, _, names in os.walk(whole):
            size += sum(os.lstat(os.path.join(place, name)).st_size for name in names)
            most -= len(names)
            if most < 0:
                break
        yield path, size
