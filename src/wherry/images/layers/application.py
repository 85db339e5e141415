"""The app's own layer. After an edit, what did not change is taken from the layer before, byte by byte.

What was last made of a folder is noted beside the layout; without the note everything is read anew, and the layer is
the same.
"""

import asyncio
import contextlib
import hashlib
import mmap
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.images.errors import ImageError
from wherry.images.layers import on_top
from wherry.images.layers.content import directory, file_member, parents
from wherry.images.layers.interpreter import Interpreter
from wherry.images.layers.note import Note, Place, read, write
from wherry.images.layers.selection import Selection, select
from wherry.images.layers.tar import Member, check_name, ending, pieces
from wherry.images.layers.workshop import Workshop
from wherry.images.layout import LAYER, Descriptor, Layout

APP = "app"
_LARGE = 4 << 20  # bytes; larger files are not held in memory
_RACE = 50_000_000  # ns before the last scan in which a change may have left the same time


@dataclass(frozen=True)
class AppLayer:
    """The layer, what of the folder is in it, and what lies on top. `first`: there was no note of it."""

    descriptor: Descriptor
    selection: Selection
    first: bool
    changes: Descriptor | None = None


async def app_layer(
    folder: Path, layout: Layout, cache: Path, interpreter: Interpreter, workshop: Workshop
) -> AppLayer:
    """Raises ImageError where a file cannot be in an image."""
    path = cache / "apps" / f"{hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]}.json"
    known = workshop.notes.get(path)
    found = await asyncio.to_thread(_look, folder, layout, known or path, interpreter.id)
    note = found.note
    whole = Descriptor(LAYER, note.digest, note.size)
    if found.same:
        workshop.notes[path] = note
        return AppLayer(whole, found.selection, first=False)
    sources = {one.name: one.data for one in found.fresh if isinstance(one.data, bytes) and one.name.endswith(".py")}
    code = await interpreter.compile(sources, keep=False) if sources else {}
    compiled = [Member(name=name, mode=0o644, mtime=0, data=data) for name, data in code.items()]
    kept, fresh = _kept(found, interpreter), [*found.fresh, *compiled]
    if workshop.changes_on_top and known is note:
        before, now = _contents(note, interpreter), _now(found, {*kept, *(one.name for one in fresh)})
        if on_top.small(note.size, fresh, before, now):
            changes = await asyncio.to_thread(on_top.layer, layout, fresh, before, now)
            return AppLayer(whole, found.selection, first=False, changes=changes)
    made = await asyncio.to_thread(_make, layout, found, kept, fresh, (path, interpreter.id))
    workshop.notes[path] = made
    return AppLayer(Descriptor(LAYER, made.digest, made.size), found.selection, first=not note.digest)


@dataclass(frozen=True)
class _Found:
    """The folder beside what is known of it; `fresh` is what changed."""

    begun: int
    note: Note
    selection: Selection
    stats: Mapping[str, list[int]]
    fresh: Sequence[Member]

    @property
    def same(self) -> bool:
        alike = self.stats.keys() == self.note.files.keys() and self.directories == self.note.directories
        return bool(self.note.digest) and not self.fresh and alike

    @property
    def directories(self) -> list[str]:
        """Those that were looked into: an empty one is there to be written into."""
        return sorted(self.selection.directories)


def _look(folder: Path, layout: Layout, known: Note | Path, interpreter: str) -> _Found:
    """One call of a thread for all that is read."""
    note = read(known) if isinstance(known, Path) else known
    note = note if note.usable(layout, interpreter) else Note()
    begun = time.time_ns()
    selection = select(folder, note.files, note.rules)
    stats = {name: _key(stat) for name, stat in selection.files.items()}
    fresh = [_member(folder, name) for name, key in stats.items() if not _same(note, name, key)]
    return _Found(begun, note, selection, stats, fresh)


def _make(
    layout: Layout, found: _Found, kept: Mapping[str, Place], fresh: Sequence[Member], where: tuple[Path, str]
) -> Note:
    """The layer, and the note of it."""
    path, interpreter = where
    folders = [directory(f"{APP}/{name}") for name in found.directories]
    layer, members = _write(layout, found.note, kept, [*fresh, *folders])
    rules = found.selection.rules
    made = Note(found.begun, interpreter, rules, layer.digest, layer.size, found.stats, members, found.directories)
    write(path, made)
    return made


def _key(stat: os.stat_result) -> list[int]:
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_mode]


def _same(note: Note, name: str, key: list[int]) -> bool:
    return note.files.get(name) == key and max(key[1], key[2]) < note.made - _RACE


def _kept(found: _Found, interpreter: Interpreter) -> dict[str, Place]:
    """The entries of unchanged files, their bytecode included."""
    changed = {one.name for one in found.fresh}
    names = [name for path in found.stats if (name := f"{APP}/{path}") not in changed]
    names += [interpreter.place(name) for name in names if name.endswith(".py")]
    places = found.note.members
    return {name: places[name] for name in names if name in places}


def _contents(note: Note, interpreter: Interpreter) -> on_top.Contents:
    """Of the layer that the note is of."""
    files = {f"{APP}/{path}" for path in note.files}
    files |= {code for name in files if name.endswith(".py") and (code := interpreter.place(name)) in note.members}
    return on_top.Contents(frozenset(files), frozenset(note.members.keys() - files), APP)


def _now(found: _Found, files: set[str]) -> on_top.Contents:
    return on_top.Contents(frozenset(files), frozenset(f"{APP}/{name}" for name in found.directories), APP)


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
    layout: Layout, note: Note, kept: Mapping[str, Place], fresh: Sequence[Member]
) -> tuple[Descriptor, dict[str, Place]]:
    """The layer, and where it has what. Entries that were neighbours before are copied at once."""
    new = {one.name: one for one in fresh}
    places = {name.rpartition("/")[0] for name in (*kept, *new)}
    folders = {one for place in places for one in parents(f"{place}/", APP)} or {APP}
    new |= {name: directory(name) for name in folders}
    members: dict[str, Place] = {}
    at, begin, end = 0, 0, 0  # in the layer; a stretch of the layer before that is to be copied
    with layout.writer() as blob, _opened(layout, note.digest if kept else "") as before:
        for name in sorted({*kept, *new}, key=os.fsencode):
            if name in new:
                blob.write(before[begin:end])
                begin = end = 0
                length = sum(map(blob.write, pieces(new[name])))
            else:
                offset, length = kept[name]
                if offset != end:
                    blob.write(before[begin:end])
                    begin = offset
                end = offset + length
            members[name] = (at, length)
            at += length
        blob.write(before[begin:end])
        blob.write(ending(at))
        return blob.commit(LAYER), members


@contextlib.contextmanager
def _opened(layout: Layout, digest: str) -> Iterator[memoryview]:
    """The layer before, mapped into memory."""
    if not digest:
        yield memoryview(b"")
        return
    with (
        layout.path(digest).open("rb") as file,
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapped,
        memoryview(mapped) as view,
    ):
        yield view


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
