"""Make the base images, or find them made: one with pip to build with, one without to run."""

import io
import json
import platform
import zipfile
from dataclasses import dataclass
from pathlib import Path

from wherry.images.base import recipe
from wherry.images.base.bytecode import compiled
from wherry.images.base.debs import Apt, Package, key_of, package_name, read_package
from wherry.images.layers.tar import Member, write_tar
from wherry.images.layout import CONFIG, LAYER, MANIFEST, Descriptor, Layout

REFERENCE = f"localhost/wherry/python:{recipe.PYTHON}"
RUNTIME_REFERENCE = f"{REFERENCE}-runtime"
BUILT_FROM = "dev.wherry.packages"  # annotation: a digest of the list of package files

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_SITE = f"usr/local/lib/python{recipe.PYTHON}/dist-packages"


@dataclass(frozen=True)
class Base:
    """A base image in the layout."""

    reference: str
    manifest: Descriptor
    made: bool  # now; else it was there


async def make(layout: Layout, cache: Path, *, refresh: bool = False) -> list[Base]:
    """Both images under their names in `layout`. What is there stays, unless `refresh` asks for newer packages."""
    there = [(name, layout.find(name)) for name in (REFERENCE, RUNTIME_REFERENCE)]
    found = [Base(name, manifest, made=False) for name, manifest in there if manifest is not None]
    if len(found) == len(there) and not refresh:
        return found
    apt = Apt(cache)
    wanted = (*recipe.RUNTIME, *recipe.DEVELOPMENT)
    resolved = await apt.resolve(wanted)
    files = [name for name in resolved if recipe.belongs(package_name(name))]
    key = key_of(files, recipe.FORMAT)
    if len(found) == len(there) and all(_key(layout, base.manifest) == key for base in found):
        return found
    packages = [await read_package(path) for path in await apt.fetch(wanted, files)]
    return await _compose(layout, packages, key)


async def _compose(layout: Layout, packages: list[Package], key: str) -> list[Base]:
    extra = [package for package in packages if package.name in recipe.DEVELOPMENT]
    lower = recipe.runtime([package for package in packages if package not in extra])
    lower += await compiled(lower, lower, f"python{recipe.PYTHON}")
    upper = recipe.development(extra, _pip(extra), lower)
    upper += await compiled(lower, upper, f"python{recipe.PYTHON}")
    layers = [(_layer(layout, lower), "Debian packages, with bytecode")]
    small = _image(layout, layers, key)
    layers.append((_layer(layout, upper), "pip and venv, with bytecode"))
    whole = _image(layout, layers, key)
    layout.name(RUNTIME_REFERENCE, small)
    layout.name(REFERENCE, whole)
    return [Base(REFERENCE, whole, made=True), Base(RUNTIME_REFERENCE, small, made=True)]


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


def _image(layout: Layout, layers: list[tuple[Descriptor, str]], key: str) -> Descriptor:
    machine = platform.machine()
    config = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
            "Cmd": ["python3"],
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer, _ in layers]},
        "history": [{"created": "1970-01-01T00:00:00Z", "created_by": f"wherry: {text}"} for _, text in layers],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": layout.put_json(CONFIG, config).to_json(),
        "layers": [layer.to_json() for layer, _ in layers],
        "annotations": {BUILT_FROM: key},
    }
    return layout.put_json(MANIFEST, manifest)


def _key(layout: Layout, manifest: Descriptor) -> str:
    try:
        return str(layout.read_json(manifest.digest).get("annotations", {}).get(BUILT_FROM, ""))
    except (OSError, json.JSONDecodeError):
        return ""
