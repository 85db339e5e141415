"""A folder without a Dockerfile to its image: by layers, or by a Dockerfile made for it where a command must run."""

import re
import shutil
from pathlib import Path

from wherry.images.base.recipe import PYTHON
from wherry.images.detect.found import App
from wherry.images.errors import ImageError
from wherry.images.init.dockerfile import dockerfile
from wherry.images.layers.application import APP
from wherry.images.layers.image import RUNTIME, PythonApp
from wherry.images.layers.selection import select

_OWN = re.compile(r"(localhost/wherry/python:[\d.]+)-runtime")
_NAMED = (".python-version", "runtime.txt")


def python_app(folder: Path, app: App, base: str, platform: str) -> PythonApp:
    """What detection found, as the layers need it. Raises ImageError where layers cannot be its image."""
    if app.language != "python":
        raise ImageError(
            f"{folder} has no Dockerfile and is {app.framework}: only Python apps are built without one; "
            "`wherry init` writes it"
        )
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
    if base or not named or app.version == PYTHON:
        return ""
    return f"{named[0].why} names Python {app.version}; the base image has {PYTHON}, --base names another"


def context(folder: Path, app: App, base: str, scratch: Path) -> Path:
    """A folder below `scratch` with what the image may hold, and a Dockerfile that builds it."""
    made = scratch / APP
    for path in select(folder).files:
        target = made / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / path, target, follow_symlinks=False)
    (made / "Dockerfile").write_text(dockerfile(app, _OWN.sub(r"\1", base or RUNTIME)))
    return made
