"""A Python app's image from its folder, layer by layer: base, dependencies, big wheels one by one, app.

Each layer owns its directories, so none hides what is in another, and their order is free.
"""

import asyncio
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherry import files
from wherry.images.built import BuildEvent, BuiltImage
from wherry.images.detect.found import Dependencies
from wherry.images.errors import ImageError
from wherry.images.layers import link, locked
from wherry.images.layers.application import APP, AppLayer, app_layer, sizes
from wherry.images.layers.base import Base, architecture_of, find_base
from wherry.images.layers.commit import created
from wherry.images.layers.content import with_directories
from wherry.images.layers.install import Platform, Wanted, install
from wherry.images.layers.interpreter import Interpreter
from wherry.images.layers.steps import Steps
from wherry.images.layers.tar import Member, write_tar
from wherry.images.layers.wheels import VENV, Distribution, distributions, virtual_environment
from wherry.images.layers.workshop import Workshop
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Descriptor, Layout
from wherry.images.names import full_name

FORMAT = "3"  # change it with whatever changes the bytes of a layer
LARGE = 8 << 20  # bytes of a distribution that gets a layer of its own
USER = "10001:10001"  # a number, so that a cluster can verify that it is not root
REFERENCE = "localhost/wherry/python:3.11"  # as `images.base` makes it; that one loads slowly and is seldom needed
RUNTIME = f"{REFERENCE}-runtime"
_MOST_LARGE = 16
_SHOWN = 8  # lines of what was left out

Layers = list[tuple[Descriptor, str]]


@dataclass(frozen=True, kw_only=True)
class PythonApp:
    """What is to run, and how. `requirements` is a requirements file, None if the app needs nothing.

    `needs` says it for a project in any form, with `extra` packages besides. `base` is an image in the layout.
    """

    folder: Path
    requirements: Path | None = None
    needs: Dependencies | None = None
    extra: Sequence[str] = ()
    command: Sequence[str]
    port: int = 8000
    base: str = RUNTIME
    platform: str = ""  # linux/arm64; this machine's if ""
    user: str = USER
    environment: Mapping[str, str] = field(default_factory=dict)


def _nothing(event: BuildEvent) -> None:
    pass


async def build_layers(
    app: PythonApp,
    *,
    reference: str,
    store: Path,
    on_event: Callable[[BuildEvent], None] = _nothing,
    workshop: Workshop | None = None,
) -> BuiltImage:
    """The app's image in the store's layout, under `reference`. Raises ImageError.

    With the `workshop` of builds before, it begins warm.
    """
    if workshop is None:
        async with Workshop() as own:
            return await build_layers(app, reference=reference, store=store, on_event=on_event, workshop=own)
    begun = time.monotonic()
    name = full_name(reference)
    layout = Layout.create(store / "layout")
    cache = store / "cache"
    base = find_base(layout, app.base, architecture_of(app.platform), cache)
    interpreter = workshop.interpreter(layout, base, cache)
    steps = Steps(3, on_event)
    steps.begin(f"dependencies for Python {base.version} on linux/{base.architecture}")
    layers = await _dependencies(app, layout, base, interpreter, cache, steps)
    if link.wanted(app.needs) and (members := link.linked(app.folder, APP, base.version)):
        layers.append((await _layer(layout, members, interpreter), "the app's distribution"))
    steps.begin(f"app from {app.folder}")
    made = await app_layer(app.folder, layout, cache, interpreter, workshop)
    _tell_left_out(app.folder, made, steps)
    steps.begin(f"image {name}")
    moment = await created(app.folder, os.environ, cache, str(base.config.get("created") or "1970-01-01T00:00:00Z"))
    layers.append((made.descriptor, "the app"))
    if made.changes is not None:
        layers.append((made.changes, "changes of the app"))
    manifest = _compose(app, layout, base, layers, moment)
    if layout.find(name) != manifest:
        layout.name(name, manifest)
    steps.end()
    size = layout.size(layout.read_json(manifest.digest))
    return BuiltImage(name, manifest.digest, layout.directory, size, time.monotonic() - begun)


def _tell_left_out(folder: Path, made: AppLayer, steps: Steps) -> None:
    """At the first build of a folder: later ones leave out the same."""
    if made.first:
        found = sorted(sizes(folder, made.selection.left_out), key=lambda one: -one[1])
        for path, size in found[:_SHOWN]:
            steps.say(f"left out: {path} ({size / 1e6:.1f} MB)")
        if len(found) > _SHOWN:
            steps.say(f"left out: {len(found) - _SHOWN} more")


async def _dependencies(
    app: PythonApp, layout: Layout, base: Base, interpreter: Interpreter, cache: Path, steps: Steps
) -> Layers:
    """Their layers, noted under what they are made from."""
    platform = Platform(base.version, base.architecture, base.glibc, base.runs_here)
    needs = app.needs
    wanted = await locked.wanted(app.folder, needs, app.extra, platform, cache) if needs else _wanted(app.requirements)
    inputs = (FORMAT, *platform.words, base.python, interpreter.id, wanted.key)
    note = cache / "dependencies" / hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
    known = _noted(note, layout)
    if known:
        steps.cached()
        return known
    if not interpreter.compiles:
        steps.say(f"no bytecode: that needs Python {base.version} on this machine; the app will start slower")
    with tempfile.TemporaryDirectory(prefix="wherry-wheels-") as directory:
        target = Path(directory) / "installed"
        target.mkdir()
        await install(wanted, target, platform, app.folder, steps.say)
        found = await asyncio.to_thread(distributions, target, base.version)
        layers = []
        for title, members in _groups(found, base.python):
            layers.append((await _layer(layout, members, interpreter), title))
            steps.say(f"layer {title}: {layers[-1][0].size / 1e6:.1f} MB")
    _note(note, layers)
    return layers


def _wanted(requirements: Path | None) -> Wanted:
    if requirements is None:
        return Wanted()
    text = requirements.read_bytes()
    return Wanted((requirements,), key=hashlib.sha256(text).hexdigest(), pinned=b"--hash=" in text)


def _groups(found: Sequence[Distribution], python: str) -> list[tuple[str, list[Member]]]:
    """The big ones alone, so that a change of one is a change of one layer; the rest together.

    Where several distributions bring the same file (a namespace's empty __init__.py), it is there once.
    """
    large = sorted((one for one in found if one.size > LARGE), key=lambda one: (-one.size, one.name))[:_MOST_LARGE]
    rest = [one for one in found if one not in large]
    taken: dict[str, str] = {}
    groups = []
    for title, group in (
        *((f"{one.name} {one.version}", [one]) for one in large),
        (f"{len(rest)} distributions", rest),
    ):
        members = [member for one in group for member in _new(one, taken)]
        groups.append((title, members))
    groups[-1][1].extend(virtual_environment(python))
    return groups


def _new(one: Distribution, taken: dict[str, str]) -> Iterable[Member]:
    """The members that no distribution before has brought."""
    for member in one.members:
        owner = taken.setdefault(member.name, one.name)
        if owner == one.name:
            yield member


async def _layer(layout: Layout, members: Sequence[Member], interpreter: Interpreter) -> Descriptor:
    """The members with their bytecode and directories."""
    sources = {one.name: one.data for one in members if isinstance(one.data, bytes) and one.name.endswith(".py")}
    code = await interpreter.compile(sources)
    compiled = [Member(name=name, mode=0o644, mtime=0, data=data) for name, data in code.items()]
    return await asyncio.to_thread(_write, layout, list(with_directories([*members, *compiled], VENV)))


def _write(layout: Layout, members: Sequence[Member]) -> Descriptor:
    with layout.writer() as blob:
        write_tar(members, blob)
        return blob.commit(LAYER)


def _compose(app: PythonApp, layout: Layout, base: Base, layers: Layers, moment: str) -> Descriptor:
    settings = dict(base.config.get("config") or {})
    environment = dict(entry.partition("=")[::2] for entry in settings.get("Env") or ())
    path = f"/{VENV}/bin:{environment.get('PATH', '/usr/local/bin:/usr/bin:/bin')}"
    environment |= {"PATH": path, "PYTHONUNBUFFERED": "1", "HOME": "/tmp", **app.environment}  # noqa: S108  the container's
    annotations = {
        "org.opencontainers.image.base.name": base.reference,
        "org.opencontainers.image.base.digest": base.manifest.digest,
        "org.opencontainers.image.created": moment,
    }
    settings.pop("Entrypoint", None)
    settings |= {
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Cmd": list(app.command),
        "WorkingDir": f"/{APP}",
        "User": app.user,
        "ExposedPorts": {f"{app.port}/tcp": {}},
        "Labels": {**(settings.get("Labels") or {}), **annotations},
    }
    below = base.config
    config = {
        **below,
        "created": moment,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [*below["rootfs"]["diff_ids"], *(one.digest for one, _ in layers)]},
        "history": [
            *(below.get("history") or ()),
            *({"created": moment, "created_by": f"wherry: {text}"} for _, text in layers),
        ],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.put_json(CONFIG, config).to_json(),
        "layers": [*base.layers, *(layer.to_json() for layer, _ in layers)],
        "annotations": annotations,
    }
    return layout.put_json(MANIFEST, manifest)


def _noted(note: Path, layout: Layout) -> Layers:
    """The layers that were made from the same, if all of them are still there."""
    try:
        noted = json.loads(note.read_bytes())
        found = [(Descriptor(LAYER, one["digest"], one["size"]), str(one["title"])) for one in noted]
        return found if all(map(layout.whole, (layer for layer, _ in found))) else []
    except (OSError, ValueError, KeyError, TypeError, ImageError):
        return []


def _note(note: Path, layers: Layers) -> None:
    noted = [{"digest": one.digest, "size": one.size, "title": title} for one, title in layers]
    files.write(note, json.dumps(noted))
