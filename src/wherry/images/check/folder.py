"""The facts of a build's folder that the rules want: files, ignore file, dependencies, sources. Reads, never writes."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wherry.images.check import ignore
from wherry.images.check.ignore import Ignore
from wherry.images.distributions import normalized

MOST_FILES = 50_000  # of a folder that are looked at
LARGEST_SOURCE = 512 * 1024  # bytes of a file that is read
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(.*?)\s*(?:#.*)?$")


@dataclass(frozen=True)
class Builder:
    """The program that will build, "buildah" or "docker", and its version: of docker its daemon's, which builds."""

    name: str
    version: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Folder:
    """What is in the folder. Paths are relative, with `/`."""

    files: Mapping[str, int] = field(default_factory=dict)  # path -> bytes
    ignore: Ignore | None = None
    ignore_lines: tuple[str, ...] = ()
    requirements: Mapping[str, str] = field(default_factory=dict)  # normalized name -> specifier
    locked: bool = False  # a lock file or hashes say exactly what is installed
    sources: Mapping[str, str] = field(default_factory=dict)  # Python files at the top, by path
    builder: Builder | None = None

    def sent(self) -> dict[str, int]:
        """The files that a build gets to see."""
        if self.ignore is None:
            return dict(self.files)
        return {path: size for path, size in self.files.items() if not self.ignore.covers(path)}


def look(root: Path, builder: Builder | None = None) -> Folder:
    """Read the folder's facts. Raises OSError where it cannot be read."""
    files = _files(root)
    text = _read(root / ".dockerignore") if ".dockerignore" in files else None
    sources = {
        path: _read(root / path)
        for path, size in files.items()
        if path.endswith(".py") and path.count("/") < 2 and size <= LARGEST_SOURCE
    }
    found, hashed = _requirements(root, files)
    locks = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml")
    return Folder(
        files=files,
        ignore=None if text is None else ignore.parse(text),
        ignore_lines=tuple((text or "").splitlines()),
        requirements=found,
        locked=hashed or any(lock in files for lock in locks),
        sources=sources,
        builder=builder,
    )


def _files(root: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for directory, folders, names in os.walk(root, onerror=_raise):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(directory, name)
            found[os.path.relpath(path, root).replace(os.sep, "/")] = os.lstat(path).st_size
            if len(found) >= MOST_FILES:
                return found
    return found


def _raise(error: OSError) -> None:
    raise error


def _requirements(root: Path, files: Mapping[str, int]) -> tuple[dict[str, str], bool]:
    """Names with specifiers from requirements.txt and pyproject.toml; whether every line carries hashes."""
    found: dict[str, str] = {}
    hashed = False
    if "requirements.txt" in files:
        text = _read(root / "requirements.txt")
        hashed = "--hash=" in text
        for line in text.splitlines():
            if not line.strip().startswith(("#", "-", "http", ".", "/")) and (match := _NAME.match(line)):
                found[normalized(match[1])] = match[2].partition(";")[0].strip(" \\")
    if "pyproject.toml" in files:
        try:
            project = tomllib.loads(_read(root / "pyproject.toml")).get("project", {})
        except tomllib.TOMLDecodeError:
            return found, hashed
        for each in project.get("dependencies", ()):
            if isinstance(each, str) and (match := _NAME.match(each)):
                found.setdefault(normalized(match[1]), match[2].partition(";")[0].strip())
    return found, hashed


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(LARGEST_SOURCE).decode("utf-8", errors="replace")
