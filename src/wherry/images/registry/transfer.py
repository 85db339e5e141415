"""Whole images between a registry and a layout: only what the other side lacks, verified, named last."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from wherry.clock import Clock
from wherry.images.layout import INDEX, LAYER, MANIFEST, Descriptor, Layout, canonical, descriptor_of
from wherry.images.names import full_name, repository
from wherry.images.registry import credentials
from wherry.images.registry.client import DOCKER_INDEX, Repository, of_platform
from wherry.images.registry.session import RegistryError, Session, gathered, is_loopback

AT_ONCE = 4  # blobs under way
_CHUNK = 1 << 20
_LEVEL = 6
_COMPRESSED = "org.wherry.gzip6."
"""The name in a layout of the compressed form of a layer, so that a layer is compressed once."""


@dataclass(frozen=True)
class Progress:
    """`done` of `total` bytes of a blob; `what`: "uploads", "downloads", "is there", "mounted"."""

    digest: str
    done: int
    total: int
    what: str


Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class Pushed:
    """`digest` is that of the manifest in the registry: its layers are compressed, so it is not the layout's."""

    reference: str
    digest: str
    sent: int  # bytes
    kept: int  # bytes that were there already


@asynccontextmanager
async def connect(
    reference: str,
    clock: Clock,
    environ: Mapping[str, str],
    home: Path,
    *,
    plain: bool = False,
    login: Path | None = None,
) -> AsyncIterator[Repository]:
    """The repository of an image's name, with the user's credentials and proxy settings.

    `login` is the file of the node's own registry, which names its addresses; the user's credentials come first.
    """
    host, _, name = repository(reference).partition("/")
    known = await credentials.find(host, environ, home, name, login)
    connector = aiohttp.TCPConnector(limit=2 * AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, trust_env=True, auto_decompress=False) as http:
        yield Repository(Session(http, host, clock, known, plain or is_loopback(host)), name)


async def push(
    layout: Layout, local: str, remote: Repository, tag: str, tell: Tell, sources: Sequence[str] = ()
) -> Pushed:
    """Send the image `local` of the layout; its config and layers first, the manifest last.

    `sources` are repositories of the same registry that may have some of it: blobs are mounted from there.
    """
    found = layout.find(full_name(local))
    if found is None:
        raise RegistryError(f"{local} is not in {layout.directory}: build it first")
    manifest = layout.read_json(found.digest)
    layers = [await asyncio.to_thread(compressed, layout, descriptor_of(layer)) for layer in manifest["layers"]]
    manifest["layers"] = [
        {**before, **after.to_json()} for before, after in zip(manifest["layers"], layers, strict=True)
    ]
    sent: list[int] = []
    parts = {each.digest: each for each in (descriptor_of(manifest["config"]), *layers)}
    jobs = [lambda part=part: _send(layout, part, remote, tell, sent, sources) for part in parts.values()]
    await gathered(AT_ONCE, *jobs)
    data = canonical(manifest)
    made = layout.put(MANIFEST, data)
    await remote.put_manifest(tag, MANIFEST, data)
    total = sum(part.size for part in parts.values())
    return Pushed(f"{remote.session.host}/{remote.name}:{tag}", made.digest, sum(sent), total - sum(sent))


async def _send(
    layout: Layout, part: Descriptor, remote: Repository, tell: Tell, sent: list[int], sources: Sequence[str]
) -> None:
    if await remote.has_blob(part.digest):
        tell(Progress(part.digest, part.size, part.size, "is there"))
        return
    for source in sources:
        if await remote.mount(part.digest, source):
            tell(Progress(part.digest, part.size, part.size, "mounted"))
            return

    async def stream() -> AsyncIterator[bytes]:
        done = 0
        with layout.path(part.digest).open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk
                done += len(chunk)
                tell(Progress(part.digest, done, part.size, "uploads"))

    await remote.upload(part.digest, part.size, stream)
    sent.append(part.size)


def compressed(layout: Layout, layer: Descriptor) -> Descriptor:
    """The layer as registries want it: gzip with a header that says nothing, made once and kept. Blocking."""
    if layer.media_type != LAYER:
        return layer
    name = _COMPRESSED + layer.digest.partition(":")[2]
    known = layout.find(name)
    if known is not None and layout.has(known.digest):
        return known
    squeeze = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)  # zlib writes mtime 0 and no name
    with layout.path(layer.digest).open("rb") as source, layout.writer() as blob:
        while chunk := source.read(_CHUNK):
            blob.write(squeeze.compress(chunk))
        blob.write(squeeze.flush())
        made = blob.commit(f"{LAYER}+gzip")
    layout.name(name, made)
    return made


async def pull(remote: Repository, reference: str, layout: Layout, name: str, platform: str, tell: Tell) -> Descriptor:
    """Fetch an image for a platform into the layout under `name`. Nothing is named before all of it is there."""
    media, digest, data = await remote.manifest(reference)
    if media in (INDEX, DOCKER_INDEX):
        media, digest, data = await remote.manifest(of_platform(data, platform))
    made = layout.put(media, data)
    manifest: dict[str, Any] = layout.read_json(made.digest)
    parts = {one["digest"]: descriptor_of(one) for one in (manifest["config"], *manifest["layers"])}
    jobs = [lambda part=part: _fetch(remote, part, layout, tell) for part in parts.values()]
    await gathered(AT_ONCE, *jobs)
    layout.name(full_name(name), made)
    return Descriptor(media, digest, len(data))


async def _fetch(remote: Repository, part: Descriptor, layout: Layout, tell: Tell) -> None:
    if layout.has(part.digest):
        tell(Progress(part.digest, part.size, part.size, "is there"))
        return
    with layout.writer() as blob:
        async for chunk in remote.blob(part.digest, part.size):
            await asyncio.to_thread(blob.write, chunk)
            tell(Progress(part.digest, blob.size, part.size, "downloads"))
        blob.commit(part.media_type)
