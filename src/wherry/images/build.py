"""Build a folder into the store's OCI image layout: its Dockerfile, or one made for it, by buildah."""

import asyncio
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from wherry.images.bases import environment, lend_bases, restore
from wherry.images.buildah import Buildah, registries_conf
from wherry.images.built import BuildEvent, BuiltImage
from wherry.images.detect.found import App
from wherry.images.errors import ImageError
from wherry.images.explain import explain
from wherry.images.export import adopt, lend
from wherry.images.host import HostSettings, host_settings, volumes, write_settings
from wherry.images.init.dockerfile import dockerfile as dockerfile_of
from wherry.images.layers.image import REFERENCE
from wherry.images.layers.selection import select
from wherry.images.layout import Descriptor, Layout
from wherry.images.names import full_name
from wherry.images.progress import Progress
from wherry.images.source import Source, read_source

LAYOUT = "layout"  # below the store: the layout that all images share
_BUILDAH = "buildah"  # below the store: buildah's images and cached layers
_ON_ARGV = ("PATH", "HOME", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH")  # build arguments that buildah would obey itself
_SAID_LINES = 60


async def build(
    folder: Path,
    *,
    reference: str,
    store: Path,
    dockerfile: Path | None,
    target: str | None,
    build_args: Mapping[str, str],
    on_event: Callable[[BuildEvent], None],
) -> BuiltImage:
    """Build `dockerfile` (the folder's own if None) under the name `reference`. Raises ImageError.

    `store` is the directory of all images and build caches here; it is made when it is missing.
    """
    begun = time.monotonic()
    name = full_name(reference)
    source = read_source(folder, dockerfile, target, build_args)
    if shutil.which("buildah") is None:
        raise ImageError("a Dockerfile is built by buildah, which is not installed: apt-get install buildah")
    layout = Layout.create(store / LAYOUT)
    buildah = Buildah(store / _BUILDAH)
    await buildah.prepare()
    settings = host_settings(os.environ, Path.home())
    with tempfile.TemporaryDirectory(dir=store, prefix=".build-") as scratch:
        async with buildah.working():
            await lend_bases(source, layout, buildah, settings.variables, Path(scratch))
            image = await _run(source, buildah, settings, Path(scratch), on_event)
            manifest = await _export(source, layout, buildah, settings, image, Path(scratch))
    layout.name(name, manifest)
    size = layout.size(layout.read_json(manifest.digest))
    return BuiltImage(name, manifest.digest, layout.directory, size, time.monotonic() - begun)


async def build_made(
    folder: Path, app: App, *, reference: str, store: Path, base: str = "", on_event: Callable[[BuildEvent], None]
) -> BuiltImage:
    """Build an app without a Dockerfile by one made for it: its build runs commands, which needs a container."""
    base = base or REFERENCE
    text = f"`{' '.join(app.before[0])}` needs a container: built by a Dockerfile made for it, and not in layers"
    on_event(BuildEvent("output", 0, 0, text))
    with tempfile.TemporaryDirectory(dir=store, prefix=".context-") as scratch:
        made = await asyncio.to_thread(_context, folder, dockerfile_of(app, base), Path(scratch))
        return await build(
            made,
            reference=reference,
            store=store,
            dockerfile=None,
            target=None,
            build_args={},
            on_event=on_event,
        )


def _context(folder: Path, text: str, scratch: Path) -> Path:
    """What the image may hold of `folder`, with a Dockerfile."""
    made = scratch / "app"
    for path in select(folder).files:
        target = made / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, target, follow_symlinks=False)
    (made / "Dockerfile").write_text(text)
    return made


async def _run(
    source: Source, buildah: Buildah, settings: HostSettings, scratch: Path, on_event: Callable[[BuildEvent], None]
) -> str:
    """The id of the image that buildah made."""
    progress = Progress(source.dockerfile, on_event)
    said: deque[str] = deque(maxlen=_SAID_LINES)

    def on_line(line: str) -> None:
        before = progress.step
        progress.feed(line, time.monotonic())
        if progress.step is not before:
            said.clear()
        else:
            said.append(line)

    registries, made = scratch / "registries.conf", scratch / "image"
    registries.touch(mode=0o600)
    registries.write_text(registries_conf(os.environ))
    mounts = volumes(settings, write_settings(settings, scratch))
    env = {**os.environ, **_by_environment(source.build_args), "TMPDIR": str(scratch), "LC_ALL": "C.UTF-8"}
    env["CONTAINERS_REGISTRIES_CONF"] = str(registries)
    words = ("build", *_flags(source, buildah, mounts, made), str(source.folder))
    code = await buildah.follow(*words, env=env, on_line=on_line)
    if code:
        raise explain(source, progress.step, said, code)
    progress.close(time.monotonic())
    return made.read_text().strip().removeprefix("sha256:")


def _flags(source: Source, buildah: Buildah, mounts: list[str], made: Path) -> Iterator[str]:
    yield from ("--isolation", "chroot", "--layers", "--pull=never", "--format", "oci", "--force-rm")
    yield from ("--identity-label=false", "--file", str(source.file), "--iidfile", str(made), *buildah.policy())
    for mount in mounts:
        yield from ("--volume", mount)
    if source.target:
        yield from ("--target", source.target)
    if epoch := os.environ.get("SOURCE_DATE_EPOCH"):
        yield from ("--timestamp", epoch)
    for name, value in source.build_args.items():
        yield from ("--build-arg", f"{name}={value}" if name in _ON_ARGV else name)


def _by_environment(build_args: Mapping[str, str]) -> dict[str, str]:
    """Values that buildah takes from its environment: arguments of a program are for everyone to see."""
    return {name: value for name, value in build_args.items() if name not in _ON_ARGV}


async def _export(
    source: Source, layout: Layout, buildah: Buildah, settings: HostSettings, image: str, scratch: Path
) -> Descriptor:
    """The image's manifest in the layout."""
    directory = scratch / "layout"
    await asyncio.to_thread(lend, layout, directory)
    await buildah.run("push", "-q", *buildah.policy(), image, f"oci:{directory.name}:image", cwd=scratch)
    base = source.base()
    below = layout.find(base) if base else None
    annotations = {"org.opencontainers.image.base.name": base} if base else {}
    annotations |= {"org.opencontainers.image.base.digest": below.digest} if below else {}
    change = restore(environment(layout, base), settings.variables)
    return await asyncio.to_thread(adopt, layout, directory, annotations, change)
