"""Debian packages: which ones a wish means, fetched by the host's apt with its mirrors, proxies and keys.

The host's own packages are neither asked nor changed: apt sees an empty machine.
"""

import asyncio
import hashlib
import io
import lzma
import os
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wherry.images.base.lock import Locked, verify
from wherry.images.errors import ImageError
from wherry.images.layers.tar import Member
from wherry.process import Finished, ProgramError, run

_FETCH_SECONDS = 900.0
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # Debian 12 keeps them in usr, with links in their place


@dataclass(frozen=True)
class Package:
    """A package file, and the paragraph that describes it."""

    name: str
    control: str
    members: tuple[Member, ...]


class Apt:
    """The host's apt on an empty machine, with its downloads in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._archives = directory / "archives"
        self._empty = directory / "empty"  # apt does not tell of packages that it has fetched
        self._status = directory / "status"
        self._lists: Path | None = None  # the host's
        self._security: set[str] = set()

    async def refresh(self) -> None:
        """Ask the host's sources what is newest, into lists of our own: root's rights are not needed."""
        lists = self._directory / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        self._lists = lists
        self._prepare()
        await self._apt_get(self._empty, "-qq", "update")

    async def resolve(self, wanted: Sequence[str]) -> list[str]:
        """The file names of the packages and all they depend on; the newest that the host's sources have."""
        self._prepare()
        argv = ("--print-uris", "--yes", "install", *wanted)
        done = await self._apt_get(self._empty, *argv, check=False)
        if done.code and os.geteuid() == 0:  # a machine on which apt was never used has no lists
            await self._update()
            done = await self._apt_get(self._empty, *argv, check=False)
        if done.code:
            raise ImageError(
                f"apt does not find the packages of the base image: {done.stderr.strip()[-800:]}\n"
                "It needs Debian 12's sources (`apt-get update` as root tells whether they answer)."
            )
        lines = [line.split() for line in done.stdout.splitlines() if line.startswith("'")]
        self._security |= {words[1] for words in lines if "security" in words[0]}
        return sorted(words[1] for words in lines)

    def is_security(self, file: str) -> bool:
        """Whether a package that was resolved comes from the archive of security fixes."""
        return file in self._security

    async def fetch(self, wanted: Sequence[str], files: Sequence[str]) -> list[Path]:
        """Those files, verified by apt."""
        if any(not (self._archives / name).exists() for name in files):
            await self._apt_get(self._archives, "--yes", "--download-only", "install", *wanted)
        missing = [name for name in files if not (self._archives / name).exists()]
        if missing:
            raise ImageError(f"apt did not fetch {', '.join(missing)}; its sources changed meanwhile: try again")
        return [self._archives / name for name in files]

    async def fetch_exact(self, packages: Sequence[Locked]) -> list[Path]:
        """Just these versions, whatever is newer, verified by their sha256."""
        self._prepare()
        paths = [self._archives / one.file for one in packages]
        missing = [one for one, path in zip(packages, paths, strict=True) if not path.exists()]
        if missing:
            names = [f"{one.name}={one.version}" for one in missing]
            done = await self._apt_get(self._archives, "download", *names, check=False, cwd=self._archives)
            if done.code:
                raise ImageError(
                    f"apt does not have every package of the lock: {done.stderr.strip()[-800:]}\n"
                    f"Mirrors drop old versions: put the files into {self._archives}, or make a new lock (--lock)."
                )
        await asyncio.to_thread(verify, packages, paths)
        return paths

    def _prepare(self) -> None:
        for archives in (self._archives, self._empty):
            (archives / "partial").mkdir(parents=True, exist_ok=True)
        self._status.touch()

    async def _apt_get(self, archives: Path, *words: str, check: bool = True, cwd: Path | None = None) -> Finished:
        options = {
            "Dir::State::status": str(self._status),
            "Dir::Cache::archives": str(archives),
            "Debug::NoLocking": "true",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Acquire::Retries": "3",
            **({"Dir::State::lists": str(self._lists)} if self._lists else {}),
        }
        settings = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        env = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        try:
            place = str(cwd) if cwd else None
            return await run("apt-get", *settings, *words, env=env, cwd=place, timeout=_FETCH_SECONDS, check=check)
        except ProgramError as error:
            raise ImageError(f"the base image is made of Debian packages, which apt fetches: {error}") from error

    async def _update(self) -> None:
        try:
            await run("apt-get", "-qq", "update", timeout=_FETCH_SECONDS)
        except ProgramError as error:
            raise ImageError(f"apt cannot read its sources: {error}") from error


def package_name(file_name: str) -> str:
    return file_name.partition("_")[0]


def key_of(files: Sequence[str], *more: str) -> str:
    """Names the result of these package files and of whatever else it depends on."""
    return hashlib.sha256("\n".join((*files, *more)).encode()).hexdigest()[:16]


async def read_package(path: Path) -> Package:
    return await asyncio.to_thread(_read, path)


def _read(path: Path) -> Package:
    parts = dict(_ar(path.read_bytes()))
    control, data = _tar_of(parts, "control.tar"), _tar_of(parts, "data.tar")
    described = control.extractfile("./control")
    assert described is not None
    return Package(package_name(path.name), described.read().decode(), tuple(_members(data)))


def _tar_of(parts: dict[str, bytes], stem: str) -> tarfile.TarFile:
    name = next(name for name in parts if name.startswith(stem))
    data = lzma.decompress(parts[name]) if name.endswith(".xz") else parts[name]
    return tarfile.open(fileobj=io.BytesIO(data), mode="r:*")


def _ar(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of an ar archive."""
    if not data.startswith(b"!<arch>\n"):
        raise ImageError("a package file is broken: it is no ar archive")
    at = 8
    while at + 60 <= len(data):
        name, size = data[at : at + 16].decode().strip().rstrip("/"), int(data[at + 48 : at + 58])
        yield name, data[at + 60 : at + 60 + size]
        at += 60 + size + size % 2


def _members(archive: tarfile.TarFile) -> Iterator[Member]:
    """A package's files as a merged-/usr system has them; hard links become files of their own."""
    for info in archive:
        name = merged(info.name)
        if not name:
            continue
        member = Member(name=name, mode=info.mode, mtime=int(info.mtime), uid=info.uid, gid=info.gid)
        if info.isdir():
            yield member
        elif info.issym():
            yield replace(member, target=info.linkname)
        elif info.isreg() or info.islnk():
            file = archive.extractfile(info)
            assert file is not None
            yield replace(member, data=file.read())


def merged(name: str) -> str:
    """`./bin/sh` is `usr/bin/sh`; empty for the directories that are links then."""
    path = name.removeprefix("./").strip("/").removeprefix(".")
    top, _, rest = path.partition("/")
    if top not in _MERGED:
        return path
    return f"usr/{path}" if rest else ""
