"""Which builder: the one that is asked for, else buildah, else docker."""

import shutil
from pathlib import Path

from wherry.config import BUILDERS
from wherry.images.builders.builder import Builder
from wherry.images.builders.with_buildah import WithBuildah
from wherry.images.builders.with_docker import WithDocker
from wherry.images.errors import ImageError

AUTO, BUILDAH, BUILDX = BUILDERS
_PROGRAMS = {BUILDAH: "buildah", BUILDX: "docker"}


def program(name: str) -> str | None:
    """What is installed of the builder that is asked for: "buildah", "docker" or nothing."""
    wanted = (BUILDAH, BUILDX) if name == AUTO else (name,)
    return next((_PROGRAMS[one] for one in wanted if shutil.which(_PROGRAMS[one])), None)


def choose(name: str, store: Path) -> Builder:
    """Raises ImageError where its program is not installed. `store` is where all images and build caches are."""
    found = program(name)
    if found is None and name == BUILDX:
        raise ImageError("a Dockerfile is to be built by docker buildx, and docker is not installed")
    if found is None:
        other = "" if name == BUILDAH else ", nor is docker"
        raise ImageError(f"a Dockerfile is built by buildah, which is not installed{other}: apt-get install buildah")
    return WithBuildah(store / "buildah") if found == _PROGRAMS[BUILDAH] else WithDocker(store / "docker")
