"""The image that an app's layers stand on: found by its name, and looked into for its Python."""

import json
import platform
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry import files
from wherry.images.errors import ImageError
from wherry.images.layout import Descriptor, Layout
from wherry.images.names import full_name

ARCHITECTURES: Mapping[str, str] = {"x86_64": "amd64", "aarch64": "arm64"}
_PYTHON = re.compile(r"(?:\./)?(usr/(?:local/)?bin/python3\.\d+)")
_PACKAGES = ("var/lib/dpkg/status", "var/lib/dpkg/status.d/libc6")
_GLIBC = re.compile(r"^Package: libc6\n(?:.+\n)*?Version: (\d+\.\d+)", re.MULTILINE)
_OLDEST_GLIBC = "2.28"  # where nothing says it: that of the oldest systems still maintained
_MOST = 8 << 20
_MUSL = re.compile(r"(?:\./)?lib/ld-musl-")


@dataclass(frozen=True)
class Base:
    """A base image that is in the layout."""

    reference: str  # in full
    manifest: Descriptor
    layers: tuple[dict[str, Any], ...]
    config: Mapping[str, Any]
    python: str  # its path, without the first slash: usr/bin/python3.11
    glibc: str  # 2.36

    @property
    def version(self) -> str:
        return self.python.rpartition("python")[2]

    @property
    def architecture(self) -> str:
        return str(self.config["architecture"])

    @property
    def runs_here(self) -> bool:
        return self.architecture == native()


def native() -> str:
    """This machine's architecture in the words of images."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def architecture_of(wanted: str) -> str:
    """Of `linux/arm64`; this machine's for "". Raises ImageError."""
    if not wanted:
        return native()
    system, _, architecture = wanted.partition("/")
    if system != "linux" or architecture not in ARCHITECTURES.values():
        known = ", ".join(f"linux/{one}" for one in ARCHITECTURES.values())
        raise ImageError(f"{wanted!r} is no platform that images are built for here; there are {known}")
    return architecture


def find_base(layout: Layout, reference: str, architecture: str, cache: Path) -> Base:
    """Raises ImageError where it is not here, is for another platform, or has no Python."""
    name = full_name(reference)
    found = layout.find(name)
    if found is None:
        made = name.startswith("localhost/wherry/")
        what = "`wherry image base` makes it from Debian packages" if made else f"fetch it: wherry pull {name}"
        raise ImageError(f"the base image {name} is not here; {what}")
    manifest = layout.read_json(found.digest)
    config = layout.read_json(manifest["config"]["digest"])
    if config.get("architecture") != architecture:
        raise ImageError(
            f"the base image {name} is for linux/{config.get('architecture')}, and linux/{architecture} is wanted: "
            f"name a base for it (--base), or fetch one: wherry pull --platform linux/{architecture} IMAGE"
        )
    facts = _facts(layout, found, manifest["layers"], cache)
    return Base(name, found, tuple(manifest["layers"]), config, facts["python"], facts["glibc"])


def _facts(layout: Layout, manifest: Descriptor, layers: list[dict[str, Any]], cache: Path) -> dict[str, str]:
    """Looked for once, and noted."""
    note = cache / "bases" / f"{manifest.digest.removeprefix('sha256:')[:32]}.json"
    try:
        facts = json.loads(note.read_bytes())
        return {"python": str(facts["python"]), "glibc": str(facts["glibc"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass
    pythons, glibc = _look(layout, layers)
    if not pythons:
        raise ImageError("the base image has no Python (/usr/bin/python3.N or /usr/local/bin/python3.N)")
    best = min(pythons, key=lambda path: ("local" not in path, path))
    facts = {"python": best, "glibc": glibc or _OLDEST_GLIBC}
    files.write(note, json.dumps(facts))
    return facts


def _look(layout: Layout, layers: list[dict[str, Any]]) -> tuple[set[str], str]:
    """The paths of its Pythons, and the version of its glibc, by Debian's records."""
    pythons: set[str] = set()
    glibc = ""
    for layer in layers:
        try:
            with tarfile.open(layout.path(layer["digest"]), "r:*") as tar:
                for member in tar:
                    if match := _PYTHON.fullmatch(member.name):
                        pythons.add(match[1])
                    elif _MUSL.match(member.name):
                        raise ImageError("the base image is of musl (Alpine): wheels are made for glibc; take another")
                    elif member.name.removeprefix("./") in _PACKAGES and (file := tar.extractfile(member)):
                        found = _GLIBC.search(file.read(_MOST).decode(errors="replace"))
                        glibc = found[1] if found else glibc
        except (tarfile.TarError, OSError, EOFError) as error:
            raise ImageError(f"the base image's layer {layer['digest']} cannot be read: {error}") from error
    return pythons, glibc
