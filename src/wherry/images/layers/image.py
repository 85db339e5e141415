"""A Python app's image from its folder, layer by layer: base, dependencies, big wheels one by one, app.

Each layer owns its directories, so none hides what is in another, and their order is free.
"""

import asyncio
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.images.base.image import RUNTIME_REFERENCE
from wherry.images.built import BuiltImage
from wherry.images.check.ignore import parse as parse_ignore
from wherry.images.errors import ImageError
from wherry.images.layers.content import file_member, with_directories
from wherry.images.layers.install import install
from wherry.images.layers.interpreter import Interpreter
from wherry.images.layers.tar import Member, write_tar
from wherry.images.layers.wheels import VENV, Distribution, distributions, virtual_environment
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Descriptor, Layout
from wherry.images.names import full_name

FORMAT = "1"  # change it with whatever changes the bytes of a layer
LARGE = 8 << 20  # bytes of a distribution that gets a layer of its own
_MOST_LARGE = 16
_APP = "app"
_NEVER = (
    *("**/.git", "**/.hg", "**/.svn", "**/.env", "**/.env.*", "**/.venv", "**/venv", "**/node_modules", "**/.DS_Store"),
    *("**/__pycache__", "**/*.pyc", "**/.*_cache", "**/.tox", "**/.nox", "**/.idea", "**/.vscode", "**/*.egg-info"),
    *("**/.dockerignore", "**/Dockerfile", "**/*.sqlite3", "**/id_rsa", "**/*.pem"),
)
_EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, kw_only=True)
class PythonApp:
    """What is to run, and how. `requirements` is a locked file, None if the app needs nothing."""

    folder: Path
    requirements: Path | None
    command: Sequence[str]
    port: int = 8000
    python: str = "3.11"
    base: str = RUNTIME_REFERENCE
    user: str = "10001:10001"
    environment: Mapping[str, str] = field(default_factory=dict)


async def build_layers(app: PythonApp, *, reference: str, store: Path) -> BuiltImage:
    """The app's image in the store's layout, under `reference`. Raises ImageError."""
    begun = time.monotonic()
    name = full_name(reference)
    layout = Layout.create(store / "layout")
    base = layout.find(full_name(app.base))
    if base is None:
        raise ImageError(f"the base image {app.base} is not here: `wherry image base` makes one from Debian packages")
    cache = store / "cache"
    interpreter = Interpreter(layout, base, app.python, cache)
    layers = await _dependencies(app, layout, base, interpreter, cache)
    layers.append((await _app_layer(app, layout, interpreter), "the app"))
    manifest = _compose(app, layout, base, layers)
    layout.name(name, manifest)
    size = layout.size(layout.read_json(manifest.digest))
    return BuiltImage(name, manifest.digest, layout.directory, size, time.monotonic() - begun)


async def _dependencies(
    app: PythonApp, layout: Layout, base: Descriptor, interpreter: Interpreter, cache: Path
) -> list[tuple[Descriptor, str]]:
    """Their layers, noted under what they are made from."""
    wanted = app.requirements.read_bytes() if app.requirements else b""
    architecture = _config(layout, base)["architecture"]
    inputs = (FORMAT, app.python, architecture, base.digest, hashlib.sha256(wanted).hexdigest())
    note = cache / "dependencies" / hashlib.sha256(json.dumps(inputs).encode()).hexdigest()
    known = _noted(note, layout)
    if known:
        return known
    with tempfile.TemporaryDirectory(prefix="wherry-wheels-") as directory:
        if app.requirements:
            hashed = b"--hash=" in wanted
            target = Path(directory)
            await install(app.requirements, target, python=app.python, architecture=architecture, hashed=hashed)
        found = await asyncio.to_thread(distributions, Path(directory), app.python)
    layers = []
    for title, members in _groups(found, app.python):
        layers.append((await _layer(layout, members, VENV, interpreter), title))
    _note(note, layers)
    return layers


def _groups(found: Sequence[Distribution], python: str) -> list[tuple[str, list[Member]]]:
    """The big ones alone, so that a change of one is a change of one layer; the rest together."""
    large = sorted((one for one in found if one.size > LARGE), key=lambda one: (-one.size, one.name))[:_MOST_LARGE]
    rest = [one for one in found if one not in large]
    alone = [(f"{one.name} {one.version}", list(one.members)) for one in large]
    together = [member for one in rest for member in one.members]
    return [*alone, (f"{len(rest)} distributions", [*virtual_environment(python), *_unique(together)])]


def _unique(members: Iterable[Member]) -> list[Member]:
    """Distributions may bring the same file (a namespace's empty __init__.py): it is there once."""
    return list({member.name: member for member in members}.values())


async def _app_layer(app: PythonApp, layout: Layout, interpreter: Interpreter) -> Descriptor:
    files = await asyncio.to_thread(lambda: list(_app_files(app.folder)))
    return await _layer(layout, files, _APP, interpreter)


def _app_files(folder: Path) -> Iterable[Member]:
    ignore_file = folder / ".dockerignore"
    ignore = parse_ignore(ignore_file.read_text(errors="replace") if ignore_file.is_file() else "")
    never = parse_ignore("\n".join(_NEVER))
    for directory, names, files in os.walk(folder):
        place = Path(directory).relative_to(folder)
        names[:] = sorted(name for name in names if not never.covers(str(place / name)))
        for name in sorted(files):
            path = str(place / name)
            if not (ignore.covers(path) or never.covers(path)):
                yield _app_file(folder, path)


def _app_file(folder: Path, path: str) -> Member:
    source = folder / path
    if source.is_symlink():
        if not source.resolve().is_relative_to(folder.resolve()):
            raise ImageError(f"{source} is a link out of the folder: an image cannot hold what it means")
        return Member(name=f"{_APP}/{path}", target=str(source.readlink()))
    if not source.is_file():
        raise ImageError(f"{source} is neither a file nor a link; ignore it in .dockerignore")
    executable = bool(source.stat().st_mode & 0o100)
    return file_member(f"{_APP}/{path}", source.read_bytes(), executable=executable)


async def _layer(layout: Layout, members: Sequence[Member], below: str, interpreter: Interpreter) -> Descriptor:
    """The members with their bytecode and directories."""
    sources = {one.name: one.data for one in members if isinstance(one.data, bytes) and one.name.endswith(".py")}
    code = await interpreter.compile(sources)
    compiled = [Member(name=name, mode=0o644, mtime=0, data=data) for name, data in code.items()]
    return await asyncio.to_thread(_write, layout, list(with_directories([*members, *compiled], below)))


def _write(layout: Layout, members: Sequence[Member]) -> Descriptor:
    with layout.writer() as blob:
        write_tar(members, blob)
        return blob.commit(LAYER)


def _compose(app: PythonApp, layout: Layout, base: Descriptor, layers: Sequence[tuple[Descriptor, str]]) -> Descriptor:
    below = layout.read_json(base.digest)
    config = _config(layout, base)
    settings = dict(config.get("config") or {})
    environment = dict(entry.partition("=")[::2] for entry in settings.get("Env") or ())
    environment |= {"PATH": f"/{VENV}/bin:{environment.get('PATH', '/usr/bin:/bin')}", "PYTHONUNBUFFERED": "1"}
    environment |= app.environment
    settings |= {
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Cmd": list(app.command),
        "WorkingDir": f"/{_APP}",
        "User": app.user,
        "ExposedPorts": {f"{app.port}/tcp": {}},
    }
    config = {
        **config,
        "created": _EPOCH,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [*config["rootfs"]["diff_ids"], *(one.digest for one, _ in layers)]},
        "history": [*config["history"], *({"created": _EPOCH, "created_by": f"wherry: {text}"} for _, text in layers)],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.put_json(CONFIG, config).to_json(),
        "layers": [*below["layers"], *(layer.to_json() for layer, _ in layers)],
        "annotations": {
            "org.opencontainers.image.base.name": full_name(app.base),
            "org.opencontainers.image.base.digest": base.digest,
        },
    }
    return layout.put_json(MANIFEST, manifest)


def _config(layout: Layout, manifest: Descriptor) -> dict[str, Any]:
    return layout.read_json(layout.read_json(manifest.digest)["config"]["digest"])


def _noted(note: Path, layout: Layout) -> list[tuple[Descriptor, str]]:
    """The layers that were made from the same, if all of them are still there."""
    try:
        noted = json.loads(note.read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    found = [(Descriptor(LAYER, one["digest"], one["size"]), one["title"]) for one in noted]
    return found if all(layout.has(layer.digest) for layer, _ in found) else []


def _note(note: Path, layers: Sequence[tuple[Descriptor, str]]) -> None:
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = json.dumps([{"digest": one.digest, "size": one.size, "title": title} for one, title in layers])
    number, name = tempfile.mkstemp(dir=note.parent, prefix=".new-")
    with os.fdopen(number, "w") as file:
        file.write(text)
    os.replace(name, note)
