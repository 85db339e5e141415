"""Which builder: the one that is asked for, else buildah, else docker."""

import shutil
from pathlib import Path

from wherry.images.builders.builder import Builder
from wherry.images.builders.with_buildah import WithBuildah
from wherry.images.builders.with_docker import WithDocker
from wherry.images.errors import ImageError

AUTO, BUILDAH, BUILDX = BUILDERS = ("auto", "buildah", "buildx")
_PROGRAMS = {BUILDAH: "buildah", BUILDX: "docker"}


def choose(name: str, store: Path) -> Builder:
    """Raises ImageError where its program is not installed. `store` is where all images and build caches are."""
    wanted = (BUILDAH, BUILDX) if name == AUTO else (name,)
    found = next((one for one in wanted if shutil.which(_PROGRAMS[one])), None)
    if found is None and name == BUILDX:
        raise ImageError("a Dockerfile is to be built by docker buildx, and docker is not installed")
    if found is None:
        other = "" if name == BUILDAH else ", nor is docker"
        raise ImageError(f"a Dockerfile is built by buildah, which is not installed{other}: apt-get install buildah")
    return WithBuildah(store / "buildah") if found == BUILDAH else WithDocker(store / "docker")
