"""buildah with storage of its own: run it, and leave nothing behind.

As root it runs in mount and process namespaces of its own: when it ends, however it ends, its mounts and whatever a RUN
left running end with it.
"""

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from wherry.images.builders.follow import follow, tidied
from wherry.images.errors import ImageError
from wherry.process import ProgramError, run

_ALONE = ("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc")
_SHORT_SECONDS = 1800.0
_POLICY = Path("/etc/containers/policy.json")
_REGISTRIES = "/etc/containers/registries.conf"


class Buildah:
    """buildah for one store; its images and cached layers are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._driver = ""

    async def prepare(self) -> None:
        """Find the storage driver that works here: overlay, unless the directory's file system cannot."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._directory / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
        self._driver = next((driver for driver in ("overlay", "vfs") if self._root(driver).exists()), "")
        said = ""
        for driver in () if self._driver else ("overlay", "vfs"):
            done = await run(*self._argv("info", driver=driver), check=False)
            if not done.code:
                self._driver = driver
                return
            said = said or done.stderr.strip()[-500:]
            with contextlib.suppress(OSError):
                self._root(driver).rename(self._directory / f"{driver}.refused")
        if not self._driver:
            raise ImageError(f"buildah cannot keep images in {self._directory}: {said}")

    def working(self) -> AbstractAsyncContextManager[None]:
        """Build within. What a killed build left goes before, what this one leaves goes after."""
        return tidied(self._directory, self._tidy)

    async def run(self, *words: str, cwd: Path | None = None) -> str:
        """A short command; what it prints. Raises ImageError in its words."""
        try:
            done = await run(*_alone(), *self._argv(*words), timeout=_SHORT_SECONDS, cwd=str(cwd) if cwd else None)
        except ProgramError as error:
            raise ImageError(str(error)) from error
        return done.stdout

    async def follow(self, *words: str, env: Mapping[str, str], on_line: Callable[[str], None]) -> int:
        """A long command, told line by line; its exit code. Cancelled, it ends with all that it started."""
        return await follow(*_alone(), *self._argv(*words), env=env, on_line=on_line)

    def policy(self) -> tuple[str, ...]:
        """Flags for commands that pull: a policy where the machine has none."""
        return () if _POLICY.exists() else ("--signature-policy", str(self._directory / "policy.json"))

    def images(self) -> dict[str, list[str]]:
        """The images in storage by id, and their names, as it notes them itself: asking buildah takes 40 ms."""
        return {image["id"]: image.get("names") or [] for image in self._noted("images")}

    def _argv(self, *words: str, driver: str = "") -> tuple[str, ...]:
        driver = driver or self._driver
        storage = ("--root", str(self._root(driver)), "--runroot", str(self._directory / "run"))
        return ("buildah", *storage, "--storage-driver", driver, *words)

    def _root(self, driver: str) -> Path:
        return self._directory / driver

    async def _tidy(self) -> None:
        """Remove working containers."""
        if self._noted("containers"):
            await self.run("rm", "--all")

    def _noted(self, what: str) -> list[dict[str, Any]]:
        path = self._root(self._driver) / f"{self._driver}-{what}" / f"{what}.json"
        try:
            found = json.loads(path.read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            return []
        return found if isinstance(found, list) else []


def _alone() -> tuple[str, ...]:
    return _ALONE if os.geteuid() == 0 else ()


def registries_conf(env: Mapping[str, str]) -> str:
    """The machine's registries and mirrors, with docker.io for names without a registry where it names no other."""
    path = Path(env.get("CONTAINERS_REGISTRIES_CONF") or _REGISTRIES)
    text = path.read_text() if path.exists() else ""
    said = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    missing = {
        "unqualified-search-registries": 'unqualified-search-registries = ["docker.io"]\n',
        "short-name-mode": 'short-name-mode = "permissive"\n',
    }
    return "".join(line for name, line in missing.items() if name not in said) + text
