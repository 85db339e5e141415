"""Images for tests: the host's static busybox, and Python from Debian's packages. Nothing is pulled."""

import asyncio
import fcntl
import hashlib
import os
import shutil
from pathlib import Path

from wherry.images.base import recipe
from wherry.images.base.image import make
from wherry.images.layout import Layout
from wherry.node.sandbox_image import oci_archive, tar

BUSYBOX = "wherry.test/busybox:1"
_APPLETS = ("sh", "cat", "echo", "head", "httpd", "id", "ls", "nc", "sleep", "stat", "tail", "true", "wget")


def busybox_archive(reference: str = BUSYBOX, *, user: str = "", binary: Path = Path("/bin/busybox")) -> bytes:
    """An OCI archive whose command is `sh`."""
    links = {f"bin/{applet}": "busybox" for applet in _APPLETS}
    layer = tar({"bin/busybox": binary.read_bytes()}, links)
    return oci_archive(layer, reference, entrypoint=["/bin/sh"], user=user)


_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wherry-tests"
DEBS = _CACHE / "debs"
"""Debian packages that were fetched for the base images."""


async def lend_python(layout: Layout) -> None:
    """The base images of `examples/base` in `layout`. Made once for this machine, as pip's downloads are."""
    sources = sorted(Path(recipe.__file__).parent.glob("*.py"))
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / ".lock").open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        shared = Layout.create(_CACHE / f"base-{key}")
        for base in await make(shared, DEBS):
            copy_image(shared, layout, base.reference, base.reference)


def copy_image(source: Layout, target: Layout, reference: str, name: str) -> None:
    """The image `reference` of one layout under `name` in another; big blobs are linked where they can be."""
    found = source.find(reference)
    assert found is not None, f"{reference} is not in {source.directory}"
    manifest = source.read_json(found.digest)
    for digest in (found.digest, manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])):
        if not target.has(digest):
            try:
                os.link(source.path(digest), target.path(digest))
            except OSError:
                shutil.copyfile(source.path(digest), target.path(digest))
    target.name(name, found)


_VERSIONS = """\
click==7.1.2
itsdangerous==1.1.0
Jinja2==3.0.3
Werkzeug==1.0.1
"""
_NAMES = "import collections, collections.abc; vars(collections).update(vars(collections.abc) | vars(collections))\n"


def stand_in_for_python_37(directory: Path) -> Path:
    """A folder that builds what the article calls python:3.7. In truth it is Python 3.11: no registry is at hand.

    Two things make the article's app start on it as it did in its time. pip takes the versions that Flask 1.0.2 meant:
    with the newest ones it fails on Python 3.7 as well (`from jinja2 import escape`). And `collections` has the names
    that it lost in Python 3.10.
    """
    directory.mkdir()
    (directory / "then.txt").write_text(_VERSIONS)
    (directory / "then.pth").write_text(_NAMES)
    (directory / "Dockerfile").write_text(
        "FROM localhost/wherry/python:3.11\n"
        "COPY then.txt /etc/then.txt\n"
        "COPY then.pth /usr/local/lib/python3.11/dist-packages/\n"
        "ENV PIP_CONSTRAINT=/etc/then.txt\n"
    )
    return directory
