"""The user's credentials for a registry, as docker and podman keep them: files and credential helpers."""

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry import process
from wherry.images.errors import ImageError

_DOCKER_HUB = "https://index.docker.io/v1/"
_HELPER_SECONDS = 30.0
_TOKEN_USER = "<token>"  # noqa: S105 - what helpers answer in place of a name when the secret is an identity token


@dataclass(frozen=True)
class Credentials:
    """A name with a password, or an identity token to be exchanged."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


def files(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Where credentials may be, in the order in which they are asked."""
    if environ.get("REGISTRY_AUTH_FILE"):
        yield Path(environ["REGISTRY_AUTH_FILE"])
    yield Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if environ.get("XDG_RUNTIME_DIR"):
        yield Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    yield home / ".config" / "containers" / "auth.json"


async def find(
    host: str, environ: Mapping[str, str], home: Path, repository: str = "", last: Path | None = None
) -> Credentials | None:
    """The credentials for a registry; podman's may be of a repository below it. None: ask without.

    The file `last` is not the user's own: it is asked after theirs, and need not be readable. Raises ImageError where
    any other file or a helper is there and fails.
    """
    own = (last,) if last is not None and os.access(last, os.R_OK) else ()
    for path in (*files(environ, home), *own):
        try:
            config = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise ImageError(f"{path}: the registry credentials cannot be read: {error}") from error
        found = await _in_file(path, config, host, repository)
        if found is not None:
            return found
    return None


async def _in_file(path: Path, config: Mapping[str, Any], host: str, repository: str) -> Credentials | None:
    helpers = config.get("credHelpers") or {}
    store = config.get("credsStore")
    for name in _names(host, repository):
        helper = helpers.get(name)
        if helper:
            return await ask(str(helper), name)
    entry = next(
        (config["auths"][name] for name in _names(host, repository) if name in (config.get("auths") or {})), None
    )
    if entry is not None:
        found = _entry(path, entry)
        if found is not None:
            return found
    return await ask(str(store), _names(host)[0]) if store else None


def _names(host: str, repository: str = "") -> list[str]:
    """How a registry may be written in these files, the most particular first."""
    parts = repository.split("/") if repository else []
    names = ["/".join([host, *parts[:count]]) for count in range(len(parts), 0, -1)]
    names += [host, f"https://{host}", f"https://{host}/", f"http://{host}"]
    if host in ("docker.io", "registry-1.docker.io", "index.docker.io"):
        names = [_DOCKER_HUB, "docker.io", "index.docker.io", *names]
    return names


def _entry(path: Path, entry: Mapping[str, Any]) -> Credentials | None:
    if entry.get("identitytoken"):
        return Credentials(identity_token=str(entry["identitytoken"]))
    if not entry.get("auth"):
        return Credentials(str(entry["username"]), str(entry.get("password", ""))) if entry.get("username") else None
    try:
        name, colon, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ImageError(f"{path}: an `auth` is not the base64 of NAME:PASSWORD; log in again") from error
    if not colon:
        raise ImageError(f"{path}: an `auth` is not the base64 of NAME:PASSWORD; log in again")
    return Credentials(name, password.rstrip("\0"))


async def ask(helper: str, host: str) -> Credentials | None:
    """What `docker-credential-HELPER get` knows of a registry; the name goes in by standard input."""
    program = f"docker-credential-{helper}"
    try:
        done = await process.run(program, "get", stdin=host.encode(), timeout=_HELPER_SECONDS, check=False)
    except process.ProgramError as error:
        raise ImageError(f"the credential helper {program} that your settings name cannot be run: {error}") from error
    if done.code:
        if "not found" in (done.stdout + done.stderr).lower():
            return None
        raise ImageError(f"{program} failed for {host}: {(done.stderr or done.stdout).strip()[-300:]}")
    try:
        answer = json.loads(done.stdout)
        name, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise ImageError(f"{program} gave no answer that can be read for {host}") from error
    return Credentials(identity_token=secret) if name == _TOKEN_USER else Credentials(name, secret)
