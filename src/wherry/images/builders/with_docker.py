"""Build by docker's BuildKit.

The daemon's own builder exports no OCI layout: what it built is saved under a passing tag. It sees the daemon's images
only, so those that are lent are loaded there, under a tag that follows from the store and from what they are. They go
with the last build under way: what BuildKit keeps of them lets the next one find its cached steps.
"""

import asyncio
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from wherry.images.archive import load
from wherry.images.builders.builder import Tell
from wherry.images.builders.buildkit_progress import BuildKitProgress
from wherry.images.builders.docker import Docker
from wherry.images.builders.epoch import restamp
from wherry.images.builders.follow import tidied
from wherry.images.builders.rewritten import rewritten
from wherry.images.built import BuildEvent
from wherry.images.errors import ImageError
from wherry.images.explain import cause, explain, no_base
from wherry.images.host import HostSettings, write_settings
from wherry.images.layout import Layout
from wherry.images.save import save
from wherry.images.source import Source

_LENT, _BUILT = "localhost/wherry-lent", "localhost/wherry-built"
_PROXIES = tuple(f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "FTP", "NO"))
_ON_ARGV = ("PATH", "HOME", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH")  # build arguments that docker would obey itself
_ITS_OWN = ("DOCKER_", "BUILDX_", "BUILDKIT_")
_SECRET_BYTES = 500 * 1024  # BuildKit takes no larger one


class WithDocker:
    """Implements Builder; `directory` tells this store from others that build by the same daemon."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._docker = Docker()
        self._mine = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]
        self._lent: dict[str, str] = {}
        self._configs: dict[str, dict[str, Any]] = {}

    async def prepare(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._docker.prepare()

    def working(self) -> AbstractAsyncContextManager[None]:
        return tidied(self._directory, self._tidy)

    async def fetch(self, name: str, directory: Path) -> None:
        if not await self._docker.has(name):
            await self._docker.run("pull", "-q", name)
        await self._save(name, directory)

    async def lend(self, lent: Layout, name: str) -> None:
        found = lent.find(name)
        assert found is not None, "`bases` puts it there"
        digest = lent.read_json(found.digest)["config"]["digest"]
        self._lent[name] = tag = f"{_LENT}:{self._mine}-{digest.partition(':')[2][:40]}"
        self._configs[name] = lent.read_json(digest)
        if not await self._docker.has(tag):
            archive = lent.directory / "lent.tar"
            lent.name(tag, found)
            await asyncio.to_thread(save, lent, tag, archive)
            await self._docker.run("load", "-q", "-i", str(archive))
            archive.unlink()

    async def carry_out(self, source: Source, settings: HostSettings, scratch: Path, tell: Tell) -> str:
        """The tag under which the image is with the daemon, until it is exported."""
        progress = BuildKitProgress(source, tell)
        if settings.mounts:
            left = ", ".join(settings.mounts)
            tell(BuildEvent("output", 0, 0, f"docker cannot show pip's find-links to a RUN, they are left out: {left}"))
        root = write_settings(settings, scratch)
        given = {name: root / name for name, data in settings.files.items() if _fits(name, data)}
        file = scratch / "Dockerfile"
        file.write_text(rewritten(source, self._lent, list(given)))
        ignore = source.file.with_name(f"{source.file.name}.dockerignore")
        if ignore.is_file():
            shutil.copyfile(ignore, scratch / "Dockerfile.dockerignore")
        tag = f"{_BUILT}:{self._mine}-{secrets.token_hex(8)}"
        words = [*_flags(source, tag, file), *(f"--secret=id={name},src={path}" for name, path in given.items())]
        by_environment = {name: value for name, value in source.build_args.items() if not _is_its_own(name)}
        env = {**os.environ, **by_environment, "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8"}

        def on_line(line: str) -> None:
            progress.feed(line, time.monotonic())

        code = await self._docker.build(*words, str(source.folder), env=env, on_line=on_line)
        if code and progress.unknown_image:
            raise no_base(source, progress.unknown_image, cause(progress.said))
        if code:
            raise explain(source, progress.failed, progress.said, code)
        return tag

    async def export(self, source: Source, image: str, directory: Path) -> None:
        await self._save(image, directory)
        await self._docker.run("image", "rm", image)
        if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
            below = self._configs.get(source.base(), {})
            await asyncio.to_thread(restamp, Layout(directory), int(epoch), below)

    async def _save(self, image: str, directory: Path) -> None:
        archive = directory.with_suffix(".tar")
        await self._docker.run("save", "-o", str(archive), image)
        await asyncio.to_thread(load, archive, Layout.create(directory), name="image")
        archive.unlink()

    async def _tidy(self) -> None:
        """Remove what was lent, and what was built and not exported."""
        ours = (f"--filter=reference={name}:{self._mine}-*" for name in (_LENT, _BUILT))
        if left := (await self._docker.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", *ours)).split():
            await self._docker.run("image", "rm", *left)


def _flags(source: Source, tag: str, file: Path) -> Iterator[str]:
    # A RUN has the host's network, as with buildah: its proxies and indexes may listen on 127.0.0.1
    yield from ("--progress", "plain", "--network", "host", "--tag", tag, "--file", str(file))
    if source.target:
        yield from ("--target", source.target)
    for name, value in source.build_args.items():
        yield from ("--build-arg", f"{name}={value}" if _is_its_own(name) else name)
    for name in (*_PROXIES, *map(str.lower, _PROXIES)):
        if os.environ.get(name) and name not in source.build_args:
            yield from ("--build-arg", name)  # BuildKit keeps these out of history and cache keys


def _is_its_own(name: str) -> bool:
    return name in _ON_ARGV or name.startswith(_ITS_OWN)


def _fits(name: str, data: bytes) -> bool:
    if len(data) > _SECRET_BYTES:
        raise ImageError(
            f"{name} has {len(data):,} bytes, and docker shows a RUN no file of more than {_SECRET_BYTES:,}: name a "
            "smaller one (SSL_CERT_FILE for the certificates), or build by buildah"
        )
    return True
