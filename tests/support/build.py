"""Build Dockerfiles in a store of the test's own, and see what was said and what was left."""

import contextlib
import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path

from tests.support.docker import Docker
from wherry.images.build import LAYOUT, build
from wherry.images.built import BuildEvent, BuiltImage
from wherry.images.layout import Layout
from wherry.images.source import Recipe

BASE = "FROM localhost/wherry/python:3.11\n"


class Builder:
    """Builds into one store, and remembers the events of the last build. `docker` is asked what a build left there."""

    def __init__(self, store: Path, name: str = "buildah", docker: Docker | None = None) -> None:
        self.store = store
        self.name = name
        self.docker = docker
        self.layout = Layout.create(store / LAYOUT)
        self.events: list[BuildEvent] = []

    async def __call__(
        self, folder: Path, reference: str = "app", *, target: str | None = None, args: Mapping[str, str] | None = None
    ) -> BuiltImage:
        self.events = []
        return await build(
            folder,
            Recipe(None, target, args or {}),
            reference=reference,
            store=self.store,
            builder=self.name,
            on_event=self.events.append,
        )

    def said(self) -> list[str]:
        return [event.text for event in self.events if event.kind == "output"]

    def cached(self) -> list[bool]:
        return [event.cached for event in self.events if event.kind == "done"]

    def files(self, built: BuiltImage) -> dict[str, bytes]:
        """Every blob of the image, layers as they are and inflated."""
        manifest = self.layout.read_json(built.digest)
        digests = (built.digest, manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"]))
        blobs = {digest: self.layout.path(digest).read_bytes() for digest in digests}
        return {name: gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data for name, data in blobs.items()}

    def config(self, built: BuiltImage) -> dict[str, object]:
        return self.layout.read_json(self.layout.read_json(built.digest)["config"]["digest"])

    def left(self) -> list[str]:
        """What a build that ended should not leave: scratch directories, containers, processes, mounts, images."""
        scratch = [path.name for path in self.store.iterdir() if path.name.startswith(".")]
        containers = list(self.store.glob("buildah/*/*-containers/containers.json"))
        working = [entry["id"] for path in containers for entry in json.loads(path.read_text())]
        mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.store) in line]
        listed = ("image", "ls", "-q", "--filter", "reference=localhost/wherry-*")
        images = self.docker(*listed).split() if self.docker else []
        return [*scratch, *working, *mounts, *images, *processes(str(self.store))]


def folder(path: Path, dockerfile: str, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    (path / "Dockerfile").write_text(dockerfile)
    for name, text in files.items():
        (path / name.replace("_", ".")).write_text(text)
    return path


def processes(word: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if word in line and path.parent.name != str(os.getpid()):
                found.append(line)
    return found
