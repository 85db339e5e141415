"""Files of a volume, changed all at once: a reader sees the old set or the new one (upstream's AtomicWriter layout).

`..data` points to a directory with one whole set; each visible name points into `..data`. Blocking: for a thread.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DATA = "..data"


@dataclass(frozen=True)
class File:
    """`uid` None: root's."""

    data: bytes
    mode: int
    uid: int | None = None


def write_set(directory: Path, files: Mapping[str, File], gid: int | None = None) -> bool:
    """Make `files` (by relative path) the volume's content; whether anything changed."""
    directory.mkdir(parents=True, exist_ok=True)
    _own(directory, 0o755 if gid is None else 0o2775, None, gid)
    old = directory / DATA
    if old.is_symlink() and _same(old, files):
        return False
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    _own(fresh, 0o755 if gid is None else 0o2755, None, gid)
    for name, file in files.items():
        path = fresh / name
        for parent in reversed(path.relative_to(fresh).parents[:-1]):
            (fresh / parent).mkdir(exist_ok=True)
            _own(fresh / parent, 0o755, None, gid)
        path.write_bytes(file.data)
        _own(path, file.mode if gid is None else file.mode | 0o040, file.uid, gid)
    before = os.readlink(old) if old.is_symlink() else ""
    link = directory / "..data_tmp"
    link.unlink(missing_ok=True)
    link.symlink_to(fresh.name)
    link.rename(old)
    _link(directory, {name.split("/")[0] for name in files})
    if before:
        shutil.rmtree(directory / before, ignore_errors=True)
    return True


def _own(path: Path, mode: int, uid: int | None, gid: int | None) -> None:
    if uid is not None or gid is not None:
        os.chown(path, -1 if uid is None else uid, -1 if gid is None else gid)
    path.chmod(mode)


def _same(data: Path, files: Mapping[str, File]) -> bool:
    root = data.resolve()
    found = {str(path.relative_to(root)): path for path in root.rglob("*") if path.is_file()}
    return found.keys() == files.keys() and all(found[name].read_bytes() == file.data for name, file in files.items())


def _link(directory: Path, names: set[str]) -> None:
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{DATA}/{name}")
    for path in directory.iterdir():
        if not path.name.startswith("..") and path.name not in names and path.is_symlink():
            path.unlink()
