"""A base image's lock: every package in it by exact version and sha256. Pure, but for reading the files' bytes."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.images.errors import ImageError

FORMAT = 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WORD = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_VERSION = re.compile(r"[0-9A-Za-z.+~:-]+")
_FIELDS = ("name", "version", "architecture", "sha256")


@dataclass(frozen=True)
class Locked:
    """One Debian package."""

    name: str
    version: str
    architecture: str
    sha256: str

    @property
    def file(self) -> str:
        """As apt names what it fetches."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


def locked(path: Path) -> Locked:
    """A fetched package file, by its name and bytes."""
    name, version, architecture = parts(path.name)
    return Locked(name, version, architecture, hashlib.sha256(path.read_bytes()).hexdigest())


def parts(file: str) -> tuple[str, str, str]:
    """Name, version and architecture, which apt puts into the name of a file."""
    name, version, architecture = file.removesuffix(".deb").split("_")
    return name, version.replace("%3a", ":"), architecture


def written(packages: Iterable[Locked]) -> str:
    """The lock as a file has it: a line for each package, so that a change reads well."""
    lines = [
        json.dumps({field: getattr(one, field) for field in _FIELDS})
        for one in sorted(packages, key=lambda one: one.name)
    ]
    return f'{{"format": {FORMAT}, "packages": [\n' + ",\n".join(lines) + "\n]}\n"


def read(text: str, where: str) -> Sequence[Locked]:
    """The packages of a lock. Raises ImageError where it is none, or not one of ours."""
    try:
        value: Any = json.loads(text)
        if value["format"] != FORMAT:
            raise ImageError(f"{where}: this lock has format {value['format']!r}; this wherry reads {FORMAT}")
        found = [Locked(*(str(one[field]) for field in _FIELDS)) for one in value["packages"]]
    except (ValueError, KeyError, TypeError) as error:
        raise ImageError(f"{where} is no lock of a base image: {error!r}") from error
    for one in found:
        if not (
            _WORD.fullmatch(one.name)
            and _VERSION.fullmatch(one.version)
            and _WORD.fullmatch(one.architecture)
            and _SHA256.fullmatch(one.sha256)
        ):
            raise ImageError(f"{where}: {one.name!r} {one.version!r} {one.architecture!r}: this entry is damaged")
    if not found:
        raise ImageError(f"{where} names no package")
    return found


def verify(packages: Iterable[Locked], paths: Iterable[Path]) -> None:
    """Raises ImageError where a fetched file is another than the one that was locked."""
    for one, path in zip(packages, paths, strict=True):
        digest = locked(path).sha256
        if digest != one.sha256:
            raise ImageError(
                f"{path}: the lock wants sha256 {one.sha256[:16]}..., and this file has {digest[:16]}...; "
                "remove it to have it fetched anew"
            )
