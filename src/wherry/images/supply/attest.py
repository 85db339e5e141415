"""What is to be told of an image that was just built: its packages, and how it came to be. Hung on it as referrers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from wherry.images.layout import Descriptor, Layout
from wherry.images.size.account import account
from wherry.images.size.entries import read
from wherry.images.supply import sbom
from wherry.images.supply.provenance import IN_TOTO, Build, provenance
from wherry.images.supply.referrers import attach
from wherry.process import ProgramError, run
from wherry.version import __version__

_CREATED = "org.opencontainers.image.created"
_BASE_NAME, _BASE_DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"
_GIT_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a build came from. Empty where the folder is in no repository."""

    address: str = ""
    revision: str = ""
    dirty: bool = False


@dataclass(frozen=True, kw_only=True)
class Made:
    """How it was built. `parameters` are what was asked for; values that could be secret do not belong there."""

    builder: str
    source: Source
    parameters: Mapping[str, str] = field(default_factory=dict)


async def source_of(folder: Path) -> Source:
    """The commit that the folder is at, by git; nothing of it where there is no git or no repository."""
    try:
        revision = (await _git(folder, "rev-parse", "--verify", "HEAD")).strip()
        dirty = bool((await _git(folder, "status", "--porcelain", "--", ".")).strip())
    except ProgramError:
        return Source()
    try:
        address = (await _git(folder, "remote", "get-url", "origin")).strip()
    except ProgramError:
        address = ""
    return Source(address=without_credentials(address), revision=revision, dirty=dirty)


def without_credentials(address: str) -> str:
    """A repository's address without user and password."""
    parts = urlsplit(address)
    if not parts.scheme or "@" not in parts.netloc:
        return address
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


async def _git(folder: Path, *words: str) -> str:
    return (await run("git", "-C", str(folder), *words, timeout=_GIT_SECONDS)).stdout


def attach_sbom(layout: Layout, reference: str, image: Descriptor) -> Descriptor:
    """Its packages, as SPDX. Raises ImageError."""
    return attach(layout, image, sbom.SPDX, *_told(layout, reference, image))


def _told(layout: Layout, reference: str, image: Descriptor) -> tuple[dict[str, object], dict[str, str]]:
    created = str(layout.read_json(layout.read_json(image.digest)["config"]["digest"]).get("created") or sbom.EPOCH)
    return sbom.spdx(account(read(layout, reference)), created), {_CREATED: created}


def attach_provenance(layout: Layout, reference: str, image: Descriptor, made: Made) -> Descriptor:
    """Which commit, builder and base it was made of, as SLSA provenance."""
    annotations = layout.read_json(image.digest).get("annotations") or {}
    materials = {}
    if annotations.get(_BASE_DIGEST):
        materials[f"pkg:docker/{annotations.get(_BASE_NAME) or 'base'}"] = str(annotations[_BASE_DIGEST])
    build = Build(
        builder=made.builder,
        version=__version__,
        source=made.source.address,
        revision=made.source.revision,
        dirty=made.source.dirty,
        parameters=made.parameters,
        materials=materials,
    )
    return attach(layout, image, IN_TOTO, provenance(reference, image.digest, build), {})
