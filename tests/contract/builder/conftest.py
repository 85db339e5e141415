"""Everything that builds Dockerfiles: buildah, docker with its own BuildKit, docker by the buildx plugin."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import docker
from tests.support.build import Builder
from tests.support.images import lend_python


@pytest.fixture(scope="package")
def daemon() -> Iterator[Path]:
    if why := docker.missing():
        pytest.skip(why)
    with docker.daemon() as root:
        yield root


@pytest.fixture(scope="module", params=["buildah", "docker", "buildx"])
def builder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    store = tmp_path_factory.mktemp("images")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "buildah":
            if shutil.which("buildah") is None:
                pytest.skip("buildah is not installed; `make test` installs it")
            made = Builder(store)
        else:
            made = Builder(store, "buildx", _docker(request, patch))
        asyncio.run(lend_python(made.layout))
        yield made
    shutil.rmtree(store)  # tens of thousands of small files
    assert str(store) not in Path("/proc/self/mounts").read_text()


def _docker(request: pytest.FixtureRequest, patch: pytest.MonkeyPatch) -> docker.Docker:
    root: Path = request.getfixturevalue("daemon")
    if request.param == "docker":
        path = docker.built_in(root)
        if not path:
            pytest.skip("/usr/bin/docker is not Debian 12's, which has BuildKit built in")
    else:
        path = docker.with_buildx(root)
        if not path:
            pytest.skip("the buildx plugin was not built: `make buildx` does it")
    client = docker.Docker(root, path)
    client("builder", "prune", "--all", "--force", check=request.param == "docker")  # no step is in the cache before
    for name in ("PATH", "DOCKER_HOST", "DOCKER_CONFIG"):
        patch.setenv(name, client.env[name])
    return client
