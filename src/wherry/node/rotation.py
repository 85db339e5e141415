"""Logs within bounds: one of 10 MiB is set aside and a fresh one begun, at most five files for a container.

The names are upstream's: `0.log`, `0.log.20260102-030405`, and all but the newest of those with `.gz`.
"""

import asyncio
import gzip
import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wherry.clock import Clock
from wherry.node.runtime import Runtime, RuntimeFailure, State
from wherry.node.settings import NodeSettings

log = logging.getLogger("wherry.node")

LARGEST_BYTES = 10 << 20
MOST_FILES = 5
LOOKS_SECONDS = 10.0
_PACKED, _PACKING = ".gz", ".tmp"


@dataclass(frozen=True)
class LogRotation:
    """Of all containers of the node."""

    runtime: Runtime
    clock: Clock
    settings: NodeSettings
    largest: int = LARGEST_BYTES

    async def run(self) -> None:
        """Until cancelled. A file that grows wakes nobody, so this looks now and then, as upstream does."""
        while True:
            await self.clock.sleep(LOOKS_SECONDS)
            try:
                await self.look()
            except (RuntimeFailure, OSError) as error:
                log.warning("logs cannot be rotated: %s", error)

    async def look(self) -> None:
        """Rotate what has grown too large. Raises RuntimeFailure or OSError."""
        for uid, path in await asyncio.to_thread(lambda: list(self._large())):
            for container in await self.runtime.containers(pod_uid=uid):
                if container.state is State.RUNNING and container.log_path == str(path):
                    await self._rotate(container.id, path)

    def _large(self) -> Iterator[tuple[str, Path]]:
        """Pod uid and path of each log that is too large."""
        for path in self.settings.logs.glob("*/*/*.log"):
            try:
                if path.stat().st_size >= self.largest:
                    yield path.parts[-3].rpartition("_")[2], path
            except FileNotFoundError:
                continue

    async def _rotate(self, container_id: str, path: Path) -> None:
        aside = path.with_name(f"{path.name}.{self.clock.now():%Y%m%d-%H%M%S}")
        await asyncio.to_thread(_set_aside, path, aside)
        try:
            await self.runtime.reopen_log(container_id)
        except RuntimeFailure:
            await asyncio.to_thread(aside.rename, path)
            raise
        await asyncio.to_thread(_pack, path)


def log_files(path: Path) -> list[Path]:
    """Those that were set aside, oldest first."""
    return sorted(path.parent.glob(f"{path.name}.*"))


def _set_aside(path: Path, aside: Path) -> None:
    rotated = log_files(path)
    for left in [one for one in rotated if one.suffix == _PACKING]:
        left.unlink()  # a packing that did not end
    rotated = [one for one in rotated if one.suffix != _PACKING]
    for oldest in rotated[: max(len(rotated) - (MOST_FILES - 2), 0)]:
        oldest.unlink()
    path.rename(aside)


def _pack(path: Path) -> None:
    """All but the newest, which a reader may still have open."""
    for plain in log_files(path)[:-1]:
        if plain.suffix != _PACKED:
            part = plain.with_name(plain.name + _PACKING)
            with plain.open("rb") as source, gzip.open(part, "wb") as target:
                shutil.copyfileobj(source, target)
            part.rename(plain.with_name(plain.name + _PACKED))
            plain.unlink()
