"""From an edited file to docker's image: BuildKit with a daemon of its own, the base loaded, and one COPY to do.

The rest of a guide's Dockerfile is in its cache after an edit, so it is left out, to its favour.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import docker
from wherry.images.layout import Layout
from wherry.images.save import save

DOCKERFILE = "FROM {base}\nWORKDIR /app\nCOPY . /app\n"


def missing() -> str:
    """Why it cannot be measured here; "" if it can."""
    return docker.missing() or ("" if shutil.which("docker") else "no docker client is installed")


class BuildKit:
    """`docker build` of one folder."""

    def __init__(self, client: docker.Docker, folder: Path) -> None:
        self._client, self._folder = client, folder

    async def build(self) -> None:
        await asyncio.to_thread(self._build)

    def _build(self) -> None:
        program = shutil.which("docker", path=self._client.path)
        assert program is not None, "`missing` has looked"
        argv = (program, "build", "--network=host", "-q", "-t", "guided")
        environment = {**self._client.env, "DOCKER_BUILDKIT": "1"}
        subprocess.run((*argv, str(self._folder)), env=environment, check=True, capture_output=True)


@contextmanager
def builder(layout: Layout, base: str, folder: Path, scratch: Path) -> Iterator[BuildKit]:
    """With the image `base` of the layout loaded, and a Dockerfile in `folder`; the archive goes to `scratch`."""
    with docker.daemon() as root:
        client = docker.Docker(root, docker.built_in(root) or os.environ["PATH"])
        archive = scratch / "base.tar"
        save(layout, base, archive)
        client("load", "-i", str(archive))
        archive.unlink()
        (folder / "Dockerfile").write_text(DOCKERFILE.format(base=base))
        yield BuildKit(client, folder)
