"""The docker client with a BuildKit: the buildx plugin, or the one that clients before 23 have built in."""

import os
import re
import signal
from collections.abc import Callable, Mapping

from wherry.images.builders.follow import follow
from wherry.images.errors import ImageError
from wherry.process import Finished, ProgramError, run

_SHORT_SECONDS = 1800.0
_BUILT_IN_BEFORE = 23  # clients since then run `docker build` by the plugin, and fail without it
_NO_BUILDKIT = (
    "this docker client has no BuildKit: install its buildx plugin (docker-buildx-plugin, or docker-buildx), or buildah"
)


class Docker:
    """Commands to the daemon that the environment or the docker context names."""

    def __init__(self) -> None:
        self._build: tuple[str, ...] = ()

    async def prepare(self) -> None:
        """Find the daemon and the BuildKit. The builder is the daemon's own, which knows the daemon's images."""
        seen = await self._ask("version", "--format", "{{.Client.Version}} {{.Server.Version}}")
        if seen.code:
            raise ImageError(f"docker does not answer, and a Dockerfile is built by it here: {_last(seen)}")
        if not (await self._ask("buildx", "version")).code:
            context = await self._ask("context", "show")
            name = context.stdout.strip() if not context.code else ""
            self._build = ("buildx", "build", "--builder", name or "default", "--load")
            return
        major = re.match(r"\d+", seen.stdout)
        if major is None or int(major[0]) >= _BUILT_IN_BEFORE:
            raise ImageError(_NO_BUILDKIT)
        self._build = ("build",)

    async def run(self, *words: str) -> str:
        """A short command; what it prints. Raises ImageError in its words."""
        done = await self._ask(*words)
        if done.code:
            raise ImageError(f"docker {words[0]}: {_last(done)}")
        return done.stdout

    async def has(self, image: str) -> bool:
        return not (await self._ask("image", "inspect", "--format", "{{.Id}}", image)).code

    async def build(self, *words: str, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """`docker build` with `words`, told line by line; its exit code."""
        # An attestation would make an index of the image. Old plugins do not know the flag, and take no heed of this.
        variables = {**env, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        argv = ("docker", *self._build, *words)
        # Told to end, the client has the daemon end its build
        return await follow(*argv, env=variables, on_line=on_line, orphaned=signal.SIGTERM)

    async def _ask(self, *words: str) -> Finished:
        try:
            return await run("docker", *words, env=os.environ, check=False, timeout=_SHORT_SECONDS)
        except ProgramError as error:
            raise ImageError(str(error)) from error


def _last(done: Finished) -> str:
    return (done.stderr.strip() or done.stdout.strip())[-2000:]
