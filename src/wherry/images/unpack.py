"""Archives of files into a directory, and nothing outside of it.

What `filter="data"` of tarfile does: the Python of Debian 12, 3.11.2, does not have it yet.
"""

import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO


def unpack(archive: tarfile.TarFile, members: Iterable[tarfile.TarInfo], into: Path) -> None:
    """Files, directories and links, with the owner's permissions. Raises tarfile.TarError for all else, and OSError.

    A name or a link that leads out of `into`, be it by links unpacked before, is an error; what came before it stays.
    """
    root = into.resolve()
    for member in members:
        given = root / member.name
        if given == root:
            continue
        folder = given.parent.resolve()
        if given.name in ("", "..") or not folder.is_relative_to(root):
            raise tarfile.TarError(f"{member.name} leads out of the archive")
        place = folder / given.name
        folder.mkdir(parents=True, exist_ok=True)
        if place.is_symlink() or place.is_file():
            place.unlink()
        _make(archive, member, place, root)


def _make(archive: tarfile.TarFile, member: tarfile.TarInfo, place: Path, root: Path) -> None:
    if member.isdir():
        place.mkdir(exist_ok=True)
    elif member.issym():
        if not (place.parent / member.linkname).resolve().is_relative_to(root):
            raise tarfile.TarError(f"{member.name} is a link out of the archive: {member.linkname}")
        place.symlink_to(member.linkname)
    elif member.isreg() or member.islnk():
        with _data(archive, member) as data, place.open("xb") as file:
            shutil.copyfileobj(data, file)
        place.chmod(0o755 if member.mode & 0o100 else 0o644)
    else:
        raise tarfile.TarError(f"{member.name} is neither a file, a directory nor a link")


def _data(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    """Of a hard link what the entry that it means has."""
    try:
        data = archive.extractfile(member)
    except KeyError:
        data = None
    if data is None:
        raise tarfile.TarError(f"{member.name} is a link to {member.linkname}, which is no file of the archive")
    return data
