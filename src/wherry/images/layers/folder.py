"""From what detection found in a folder to its image in layers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wherry.images.built import BuildEvent, BuiltImage
from wherry.images.detect.found import App
from wherry.images.errors import ImageError
from wherry.images.layers.image import RUNTIME, PythonApp, build_layers
from wherry.images.layers.workshop import Workshop

_NAMED = (".python-version", "runtime.txt")
_PYTHON = RUNTIME.rpartition(":")[2].partition("-")[0]


@dataclass(frozen=True)
class Ground:
    """What an image stands on."""

    base: str = ""  # an image that is here; "" is the small Python made of Debian packages
    platform: str = ""  # "" is this machine's


HERE = Ground()


async def build_python(
    folder: Path,
    app: App,
    ground: Ground = HERE,
    *,
    reference: str,
    store: Path,
    on_event: Callable[[BuildEvent], None],
    workshop: Workshop | None = None,
) -> BuiltImage:
    """Build `folder`, which is `app` and has no Dockerfile. Raises ImageError.

    `workshop` is what a process keeps between builds.
    """
    if said := other_version(app, ground.base):
        on_event(BuildEvent("output", 0, 0, said))
    python = python_app(folder, app, ground.base, ground.platform)
    return await build_layers(python, reference=reference, store=store, on_event=on_event, workshop=workshop)


def python_app(folder: Path, app: App, base: str = "", platform: str = "") -> PythonApp:
    """What detection found, as the layers need it. Raises ImageError where layers cannot be its image."""
    if app.language != "python":
        raise ImageError(
            f"{folder} has no Dockerfile and is {app.framework}: only Python apps are built without one; "
            "`wherry init` writes it"
        )
    if app.before:
        raise ImageError(f"{folder}: `{' '.join(app.before[0])}` is part of its build, and layers run nothing")
    return PythonApp(
        folder=folder,
        needs=app.dependencies,
        extra=tuple(app.extra),
        command=tuple(app.command),
        port=app.port,
        base=base or RUNTIME,
        platform=platform,
        environment=dict(app.environment),
    )


def other_version(app: App, base: str) -> str:
    """What is to be said where the app names another Python than the base has; "" where it does not."""
    named = [reason for reason in app.reasons if reason.what.startswith("Python ") and reason.why in _NAMED]
    if base or not named or app.version == _PYTHON:
        return ""
    return f"{named[0].why} names Python {app.version}; the base image has {_PYTHON}, --base names another"
