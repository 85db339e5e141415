"""hostPath volumes (checked by their type, made where the type says so) and subPaths that cannot leave their volume.

Blocking: call it in a thread.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from wherry.node.volume_sources import NoVolume

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "FileOrCreate": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


def host_path(path: str, kind: str) -> str:
    """The path, as its type wants it. Raises NoVolume."""
    place = Path(path)
    if kind in ("DirectoryOrCreate", "FileOrCreate") and not place.exists():
        if kind == "DirectoryOrCreate":
            place.mkdir(mode=0o755, parents=True)
        else:
            place.touch(mode=0o644)
    if kind:
        check, what = _CHECKS[kind]
        try:
            holds = check(place.stat().st_mode)
        except OSError:
            holds = False
        if not holds:
            raise NoVolume(f"hostPath type check failed: {path} is not {what}")
    elif not place.exists():
        place.mkdir(mode=0o755, parents=True)
    return path


def open_beneath(root: Path, sub_path: str) -> int:
    """A descriptor of `sub_path` below `root`; missing directories are made. No component may be a symbolic link.

    A container that shares the volume may swap a directory for a link at any time; a descriptor stays what it is.
    """
    parts = [part for part in sub_path.split("/") if part not in ("", ".")]
    if ".." in parts or sub_path.startswith("/"):
        raise NoVolume(f"subPath {sub_path!r} must be a relative path without '..'")
    here = os.open(root, os.O_PATH | os.O_DIRECTORY)
    mode = stat.S_IMODE(os.fstat(here).st_mode)
    owner = os.fstat(here)
    try:
        for part in parts:
            here = _step(here, part, mode, owner.st_gid, sub_path)
    except BaseException:
        os.close(here)
        raise
    return here


def _step(here: int, part: str, mode: int, gid: int, sub_path: str) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW
    try:
        below = os.open(part, flags, dir_fd=here)
    except FileNotFoundError:
        os.mkdir(part, dir_fd=here)
        below = os.open(part, flags, dir_fd=here)
        try:
            os.chown(f"/proc/self/fd/{below}", -1, gid)
            os.chmod(f"/proc/self/fd/{below}", mode)
        except OSError:
            os.close(below)
            raise
    except NotADirectoryError:
        raise NoVolume(f"subPath {sub_path!r}: a file is in the way") from None
    if stat.S_ISLNK(os.fstat(below).st_mode):
        os.close(below)
        raise NoVolume(f"subPath {sub_path!r} has a symbolic link in it")
    os.close(here)
    return below
