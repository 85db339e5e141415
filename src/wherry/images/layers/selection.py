"""Which files of an app's folder go into its image: what git would track, less `.dockerignore`, secrets and caches.

Git itself is not asked: the answer is the same without it, outside a repository, and whatever a user has set.
"""

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wherry.images.check.ignore import Ignore, parse
from wherry.images.errors import ImageError

NEVER = (
    *("**/.git", "**/.hg", "**/.svn", "**/.env", "**/.env.*", "**/.venv", "**/venv", "**/node_modules", "**/.DS_Store"),
    *("**/__pycache__", "**/*.pyc", "**/.*_cache", "**/.tox", "**/.nox", "**/.idea", "**/.vscode", "**/*.egg-info"),
    *("**/.gitignore", "**/.gitattributes", "**/*.sqlite3", "**/id_rsa", "**/id_ed25519", "**/.netrc", "**/.pypirc"),
    *("**/.*.sw[a-z]", "**/*~"),  # what editors leave beside a file while it is open
    *("**/.coverage", ".github", ".gitlab-ci.yml", ".dockerignore", "wherry.toml"),
)
TESTS = ("tests", "test")  # unless .dockerignore takes them back
_KEYS = (".pem", ".key")
_KEY_MARK = b"PRIVATE KEY-----"
_LARGEST_KEY = 1 << 16


_NEVER = parse("\n".join(NEVER))
_DECIDE = (".dockerignore", ".gitignore", "wherry.toml")


def never(path: str) -> bool:
    """Whether `path` is in no image and decides nothing about one."""
    return _NEVER.covers(path) and path.rpartition("/")[2] not in _DECIDE


@dataclass(frozen=True)
class Selection:
    """`files` by their paths, in no order; `left_out` are paths, a directory standing for all that is in it."""

    files: Mapping[str, os.stat_result]
    left_out: tuple[str, ...]
    directories: frozenset[str]  # those that were looked into: an empty one is there to be written into
    rules: str  # a digest of all that decides


def select(folder: Path, known: Collection[str] = (), rules: str = "") -> Selection:
    """`known` are paths that went in by `rules`: while those are the same, these need no second look."""
    scan = _Scan(folder)
    selection = scan.run(frozenset(known))
    if known and selection.rules != rules:
        return _Scan(folder).run(frozenset())
    return selection


class _Scan:
    """One walk through the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._released = (folder / "PKG-INFO").is_file()  # what a source distribution brings, it is meant to have
        own = folder / ".dockerignore"
        self._docker_text = own.read_text(errors="replace") if own.is_file() else ""
        self._docker = parse(self._docker_text)
        self._whole = not any(keeps for keeps, _ in self._docker.patterns)  # a directory that is out is out altogether
        taken_back = {line.strip().strip("/") for line in self._docker_text.splitlines() if line.startswith("!")}
        tests = [name for name in TESTS if f"!{name}" not in taken_back]
        self._never = parse("\n".join((*NEVER, *tests)))
        self._git_text = ""
        self._git = Ignore()
        self._files: dict[str, os.stat_result] = {}
        self._left_out: list[str] = []
        self._directories: set[str] = set()

    def run(self, known: frozenset[str]) -> Selection:
        directories = {path[:at] for path in known for at in _slashes(path)}
        self._walk("", known, directories)
        text = "\0".join((*NEVER, *TESTS, self._docker_text, self._git_text))
        rules = hashlib.sha256(text.encode()).hexdigest()
        return Selection(self._files, tuple(self._left_out), frozenset(self._directories), rules)

    def _walk(self, place: str, known: frozenset[str], directories: Collection[str]) -> None:
        with os.scandir(self._folder / place) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        if not self._released and any(entry.name == ".gitignore" for entry in entries):
            self._git_text += "\n".join(("", *_translated(self._folder, place)))
            self._git = parse(self._git_text)
        for entry in entries:
            path = f"{place}/{entry.name}" if place else entry.name
            if entry.is_dir(follow_symlinks=False):
                if path in directories or not self._closed(path):
                    self._directories.add(path)
                    self._walk(path, known, directories)
                else:
                    self._left_out.append(path)
            elif path in known or not (self._never_or_git(path) or self._docker.covers(path) or self._is_key(path)):
                self._files[path] = entry.stat(follow_symlinks=False)
            else:
                self._left_out.append(path)

    def _closed(self, path: str) -> bool:
        return self._never_or_git(path) or (self._whole and self._docker.covers(path))

    def _never_or_git(self, path: str) -> bool:
        return self._never.covers(path) or self._git.covers(path)

    def _is_key(self, path: str) -> bool:
        if not path.endswith(_KEYS):
            return False
        file = self._folder / path
        return file.is_file() and file.stat().st_size <= _LARGEST_KEY and _KEY_MARK in file.read_bytes()


def _slashes(path: str) -> Iterator[int]:
    at = path.find("/")
    while at >= 0:
        yield at
        at = path.find("/", at + 1)


def _translated(folder: Path, place: str) -> Iterator[str]:
    """A `.gitignore` in the words of a `.dockerignore` at the top: there, patterns hang on the root."""
    try:
        text = (folder / place / ".gitignore").read_text(errors="replace")
    except OSError as error:
        raise ImageError(f"{error.filename}: {error.strerror}; it says what stays out of the image") from None
    for line in text.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        keeps = "!" if pattern.startswith("!") else ""
        pattern = pattern.removeprefix("!").removeprefix("\\").rstrip("/")
        anchored = pattern.startswith("/") or "/" in pattern
        below = f"{place}/" if place else ""
        yield f"{keeps}{below}{pattern.removeprefix('/')}" if anchored else f"{keeps}{below}**/{pattern}"
