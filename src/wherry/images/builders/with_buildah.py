"""Build by buildah."""

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from wherry.images.builders.buildah import Buildah, registries_conf
from wherry.images.builders.buildah_progress import Progress
from wherry.images.builders.builder import Tell
from wherry.images.errors import ImageError
from wherry.images.explain import explain
from wherry.images.host import HostSettings, volumes, write_settings
from wherry.images.layout import Layout
from wherry.images.source import Source

_ON_ARGV = ("PATH", "HOME", "TMPDIR", "LD_PRELOAD", "LD_LIBRARY_PATH")  # build arguments that buildah would obey itself
_SAID_LINES = 60
_RETRY = ("--retry", "2", "--retry-delay", "1s")


class WithBuildah:
    """Implements Builder; buildah's images and cached layers are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._buildah = Buildah(directory)

    async def prepare(self) -> None:
        await self._buildah.prepare()

    def working(self) -> AbstractAsyncContextManager[None]:
        return self._buildah.working()

    async def fetch(self, name: str, directory: Path) -> None:
        pull = ("pull", "-q", "--policy=always", *_RETRY, *self._buildah.policy(), f"docker://{name}")
        await self._push((await self._buildah.run(*pull)).split()[-1], directory)

    async def lend(self, lent: Layout, name: str) -> None:
        found = lent.find(name)
        assert found is not None, "`bases` puts it there"
        image = lent.read_json(found.digest)["config"]["digest"].removeprefix("sha256:")
        known = self._buildah.images()
        if image not in known:
            # buildah takes the path as a first name for the image, so it must be a short and plain one
            place = f"oci:{lent.directory.name}:{name}"
            said = await self._buildah.run("pull", "-q", *self._buildah.policy(), place, cwd=lent.directory.parent)
            if said.split()[-1:] != [image]:
                raise ImageError(f"{name}: buildah read it as {said.strip()!r}, not as {image}")
        if name not in known.get(image, ()):
            await self._buildah.run("tag", image, name)

    async def carry_out(self, source: Source, settings: HostSettings, scratch: Path, tell: Tell) -> str:
        """The id of the image that buildah made."""
        progress = Progress(source.dockerfile, tell)
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
        words = ("build", *self._flags(source, mounts, made), str(source.folder))
        code = await self._buildah.follow(*words, env=env, on_line=on_line)
        if code:
            raise explain(source, progress.step, said, code)
        progress.close(time.monotonic())
        return made.read_text().strip().removeprefix("sha256:")

    async def export(self, source: Source, image: str, directory: Path) -> None:
        await self._push(image, directory)

    async def _push(self, image: str, directory: Path) -> None:
        words = ("push", "-q", *self._buildah.policy(), image, f"oci:{directory.name}:image")
        await self._buildah.run(*words, cwd=directory.parent)

    def _flags(self, source: Source, mounts: list[str], made: Path) -> Iterator[str]:
        yield from ("--isolation", "chroot", "--layers", "--pull=never", "--format", "oci", "--force-rm")
        yield from ("--identity-label=false", "--file", str(source.file), "--iidfile", str(made))
        yield from self._buildah.policy()
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
