"""Bring images into containerd without a registry, pinned against garbage collection."""

import re
from dataclasses import dataclass
from pathlib import Path

from wherry.process import ProgramError, run

PIN_LABEL = "io.cri-containerd.pinned"
_NAMED = re.compile(r"^unpacking (\S+) \(sha256:", re.MULTILINE)
_IMPORT_SECONDS = 1800.0


async def import_archive(socket: str, archive: Path | bytes) -> list[str]:
    """Import an OCI or docker archive; the names of the images in it. Raises ProgramError with ctr's words."""
    ctr = ("ctr", "--address", socket, "-n", "k8s.io", "images")
    source = "-" if isinstance(archive, bytes) else str(archive)
    content = archive if isinstance(archive, bytes) else None
    done = await run(*ctr, "import", source, stdin=content, timeout=_IMPORT_SECONDS)
    names = _NAMED.findall(done.stdout)
    if not names:
        raise ProgramError("ctr: there is no image with a name in the archive; tag it before it is saved")
    for name in names:
        await run(*ctr, "label", name, f"{PIN_LABEL}=pinned")
    return names


@dataclass(frozen=True)
class Imported:
    """What an import did: bytes and blobs that containerd lacked, and how long it took in all."""

    copied_bytes: int
    blobs: int
    seconds: float


async def import_layout(socket: str, built_layout: Path, reference: str, digest: str) -> Imported:
    """Bring the manifest `digest` of an OCI image layout into containerd as `reference` and as NAME@DIGEST, pinned.

    Only blobs that containerd lacks are copied. Raises RuntimeFailure in containerd's words.
    """
    raise NotImplementedError(socket, built_layout, reference, digest)
