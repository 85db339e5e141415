"""When an image was created, as it says itself: not the hour of the build, which would make each build another."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from wherry import files
from wherry.images.errors import ImageError
from wherry.process import ProgramError, run

_SHA = re.compile(r"[0-9a-f]{40,64}")
_GIT = ("git", "-c", "core.fsmonitor=false", "-c", "safe.directory=*")  # nothing that the folder configures is run


async def created(folder: Path, environ: Mapping[str, str], cache: Path, otherwise: str) -> str:
    """SOURCE_DATE_EPOCH, or the last commit's time, or `otherwise`."""
    if epoch := environ.get("SOURCE_DATE_EPOCH"):
        if not re.fullmatch(r"\d{1,11}", epoch):
            raise ImageError(f"SOURCE_DATE_EPOCH is {epoch!r}; it is a number of seconds since 1970")
        return _written(int(epoch))
    commit = head(folder)
    if not commit:
        return otherwise
    note = cache / "commits" / commit
    try:
        return _written(int(note.read_text()))
    except (OSError, ValueError):
        pass
    try:
        env = {**environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"}
        done = await run(*_GIT, "-C", str(folder), "show", "-s", "--format=%ct", commit, env=env)
        seconds = int(done.stdout)
    except (ProgramError, ValueError):
        return otherwise
    files.write(note, str(seconds))
    return _written(seconds)


def head(folder: Path) -> str:
    """The commit that the folder's repository has checked out, "" where there is none."""
    for place in (folder, *folder.parents):
        git = place / ".git"
        if git.is_dir():
            return _commit(git)
    return ""


def _commit(git: Path) -> str:
    try:
        name = (git / "HEAD").read_text().strip()
        if name.startswith("ref: "):
            name = _reference(git, name.removeprefix("ref: "))
    except OSError:
        return ""
    return name if _SHA.fullmatch(name) else ""


def _reference(git: Path, name: str) -> str:
    path = git / os.path.normpath(name)
    if path.is_relative_to(git) and path.is_file():
        return path.read_text().strip()
    packed = git / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line.partition(" ")[0] for line in lines if line.endswith(f" {name}")), "")


def _written(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
