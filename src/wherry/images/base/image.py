"""Make the base images, or find them made: one with pip to build with, one without to run."""

import asyncio
import io
import json
import platform
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wherry.images.base import recipe
from wherry.images.base.bytecode import compiled
from wherry.images.base.debs import Apt, Package, key_of, package_name, read_package
from wherry.images.base.freshness import Candidate, Freshness, freshness
from wherry.images.base.lock import Locked, locked, parts
from wherry.images.base.lock import read as read_lock
from wherry.images.base.lock import written as write_lock
from wherry.images.errors import ImageError
from wherry.images.layers.tar import Member, write_tar
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Descriptor, Layout
from wherry.images.names import full_name

REFERENCE = f"localhost/wherry/python:{recipe.PYTHON}"
RUNTIME_REFERENCE = f"{REFERENCE}-runtime"
BUILT_FROM = "dev.wherry.packages"  # annotation: a digest of the list of package files
LOCK = "dev.wherry.lock"  # annotation: the packages with versions and digests

_ROOTS = (*recipe.RUNTIME, *recipe.DEVELOPMENT)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SITE = f"usr/local/lib/python{recipe.PYTHON}/dist-packages"


@dataclass(frozen=True)
class Base:
    """A base image in the layout."""

    reference: str
    manifest: Descriptor
    made: bool  # now; else it was there


async def make(layout: Layout, cache: Path, *, refresh: bool = False, lock: Sequence[Locked] = ()) -> list[Base]:
    """Both images under their names in `layout`. What is there stays, unless `refresh` asks for newer packages.

    With a `lock`, of just its packages. Raises ImageError.
    """
    there = [(name, layout.find(name)) for name in (REFERENCE, RUNTIME_REFERENCE)]
    found = [Base(name, manifest, made=False) for name, manifest in there if manifest is not None]
    whole = len(found) == len(there)
    if whole and not refresh and not lock:
        return found
    apt = Apt(cache)
    if refresh and not lock:
        await apt.refresh()
    files = [one.file for one in lock] if lock else await _wanted(apt)
    key = key_of(sorted(files), recipe.FORMAT)
    if whole and all(_key(layout, base.manifest) == key for base in found):
        return found
    _check_whole([package_name(file) for file in files])
    paths = await (apt.fetch_exact(lock) if lock else apt.fetch(_ROOTS, files))
    return await _compose(layout, sorted(paths), key)


async def _wanted(apt: Apt) -> list[str]:
    return [name for name in await apt.resolve(_ROOTS) if recipe.belongs(package_name(name))]


def _check_whole(names: Sequence[str]) -> None:
    missing = sorted(set(_ROOTS) - set(names))
    if missing:
        raise ImageError(
            f"the lock lacks {', '.join(missing)}, without which there is no base: make a new one (--lock)"
        )


def lock_of(layout: Layout, reference: str) -> Sequence[Locked]:
    """The packages in a base image that was made here, as it says itself. Raises ImageError."""
    found = layout.find(full_name(reference))
    if found is None:
        raise ImageError(f"{reference} is not here: `wherry image base` makes it")
    text = layout.read_json(found.digest).get("annotations", {}).get(LOCK)
    if not text:
        raise ImageError(
            f"{reference} does not say what it is made of: `wherry image base --refresh` makes one that does"
        )
    return read_lock(str(text), f"{reference}'s lock")


async def look(layout: Layout, cache: Path, now: datetime) -> Freshness:
    """How old the base images are, and what of them has newer versions by now. Raises ImageError."""
    packages = lock_of(layout, REFERENCE)
    found = layout.find(REFERENCE)
    assert found is not None, "its lock was read"
    created = layout.read_json(layout.read_json(found.digest)["config"]["digest"])["created"]
    apt = Apt(cache)
    await apt.refresh()
    candidates = [Candidate(*parts(name)[:2], apt.is_security(name)) for name in await _wanted(apt)]
    return freshness(REFERENCE, datetime.fromisoformat(created), now, packages, candidates)


async def _compose(layout: Layout, paths: Sequence[Path], key: str) -> list[Base]:
    packages = [await read_package(path) for path in paths]
    lock = await asyncio.to_thread(lambda: [locked(path) for path in paths])
    extra = [package for package in packages if package.name in recipe.DEVELOPMENT]
    lower = recipe.runtime([package for package in packages if package not in extra])
    lower += await compiled(lower, lower, f"python{recipe.PYTHON}")
    upper = recipe.development(extra, _pip(extra), lower)
    upper += await compiled(lower, upper, f"python{recipe.PYTHON}")
    layers = [(_layer(layout, lower), "Debian packages, with bytecode")]
    created = _time(max(member.mtime for member in lower))
    small = _image(layout, layers, key, [one for one in lock if one.name not in recipe.DEVELOPMENT], created)
    layers.append((_layer(layout, upper), "pip and venv, with bytecode"))
    whole = _image(layout, layers, key, lock, created)
    for reference, manifest in ((RUNTIME_REFERENCE, small), (REFERENCE, whole)):
        before = layout.find(reference)
        if before is not None and before.digest != manifest.digest:  # images that stand on it are moved by its content
            layout.name(f"{reference}-{_key(layout, before) or before.digest[7:23]}", before)
        layout.name(reference, manifest)
    return [Base(REFERENCE, whole, made=True), Base(RUNTIME_REFERENCE, small, made=True)]


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _pip(packages: list[Package]) -> list[Member]:
    """pip as its wheel installs it."""
    wheels = [
        member
        for package in packages
        for member in package.members
        if member.name.startswith("usr/share/python-wheels/pip-") and isinstance(member.data, bytes)
    ]
    found = []
    for wheel in wheels:
        assert isinstance(wheel.data, bytes)
        with zipfile.ZipFile(io.BytesIO(wheel.data)) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            found += [
                Member(name=f"{_SITE}/{name}", mode=0o644, mtime=wheel.mtime, data=archive.read(name)) for name in names
            ]
    return found


def _layer(layout: Layout, members: list[Member]) -> Descriptor:
    with layout.writer() as blob:
        write_tar(members, blob)
        return blob.commit(LAYER)


def _image(
    layout: Layout, layers: list[tuple[Descriptor, str]], key: str, lock: Sequence[Locked], created: str
) -> Descriptor:
    machine = platform.machine()
    config = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": created,
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
            "Cmd": ["python3"],
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer, _ in layers]},
        "history": [{"created": created, "created_by": f"wherry: {text}"} for _, text in layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.put_json(CONFIG, config).to_json(),
        "layers": [layer.to_json() for layer, _ in layers],
        "annotations": {BUILT_FROM: key, LOCK: write_lock(lock), "org.opencontainers.image.created": created},
    }
    return layout.put_json(MANIFEST, manifest)


def _key(layout: Layout, manifest: Descriptor) -> str:
    try:
        return str(layout.read_json(manifest.digest).get("annotations", {}).get(BUILT_FROM, ""))
    except (OSError, json.JSONDecodeError):
        return ""
