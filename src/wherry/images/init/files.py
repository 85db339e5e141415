"""The files that `wherry init` writes, and those that it finds there already. Pure."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from wherry.images.check.rules_copies import IGNORED
from wherry.images.detect.found import App
from wherry.images.init.dockerfile import dockerfile

_MORE = ("**/__pycache__", "**/*.pyc", "**/node_modules", ".mypy_cache", ".ruff_cache", ".tox", "dist", "build")


@dataclass(frozen=True)
class Written:
    """The texts to write, by path; `kept` are there already and stay as they are."""

    files: Mapping[str, str]
    kept: tuple[str, ...] = ()


def written(app: App, name: str, there: Mapping[str, str], *, base: str = "", force: bool = False) -> Written:
    """What `init` writes beside the files that are `there`; over one of its own names only when told to."""
    made = {"wherry.toml": settings(app, name), "Dockerfile": dockerfile(app, base), ".dockerignore": ignore(app)}
    kept = () if force else tuple(path for path in made if path in there)
    return Written({path: text for path, text in made.items() if path not in kept}, kept)


def ignore(app: App) -> str:
    """What is in a folder and in no image."""
    own = [*IGNORED, *_MORE]
    if app.language in ("node", "go", "static") or app.dependencies.file.startswith(("dist", "build")):
        own = [line for line in own if line not in ("dist", "build")]
    return "\n".join(["# What stays out of the image.", *own, "Dockerfile", ".dockerignore", ""])


def settings(app: App, name: str) -> str:
    """`wherry.toml`, with what was found and why, so that it can be read and changed."""
    lines = [
        "# What `wherry up` should know of this app; every key is optional.",
        "version = 1",
        f"name = {_text(name)}",
        "",
    ]
    lines += [f"# {reason}" for reason in app.reasons]
    lines += [f"port = {app.port}", ""]
    if app.writes:
        lines += [f"# {app.writes}: a replica gets a copy of its folder, as long as it is.", "writable = true"]
        lines += [f"prepare = [{', '.join(_text(shlex.join(words)) for words in app.prepare)}]", ""]
        lines += ["# What one replica keeps, no other sees.", "replicas = 1", ""]
    if app.memory:
        lines += ["[resources]", f"memory = {_text(app.memory)}", ""]
    if app.health:
        lines += ["# A replica gets requests once it answers here.", "[health]", f"path = {_text(app.health)}", ""]
    return "\n".join(lines)


def _text(value: str) -> str:
    return orjson.dumps(value).decode()
