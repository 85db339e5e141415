"""Install an app's locked dependencies with uv into a directory, for the image's Python and not this machine's."""

import os
import shutil
import sys
from pathlib import Path

from wherry.images.errors import ImageError
from wherry.process import ProgramError, run

_SECONDS = 1800.0
_PLATFORMS = {"amd64": "x86_64-manylinux_2_36", "arm64": "aarch64-manylinux_2_36"}  # glibc 2.36 is Debian 12's
_NO_WHEEL = "has no usable wheels"


async def install(requirements: Path, target: Path, *, python: str, architecture: str, hashed: bool) -> None:
    """Wheels only; `hashed` says that the file has hashes to hold them to. Raises ImageError in uv's words."""
    if architecture not in _PLATFORMS:
        raise ImageError(f"no wheels are known for {architecture}; known are {', '.join(_PLATFORMS)}")
    words = ("pip", "install", "--quiet", "--target", str(target), "--only-binary", ":all:", "--link-mode", "copy")
    place = ("--python-version", python, "--python-platform", _PLATFORMS[architecture], "--python", sys.executable)
    hashes = ("--require-hashes",) if hashed else ()
    env = {**os.environ, "UV_NO_INSTALLER_METADATA": "1", "UV_COMPILE_BYTECODE": "0"}
    try:
        await run(uv(), *words, *place, *hashes, "-r", str(requirements), env=env, timeout=_SECONDS)
    except ProgramError as error:
        hint = ""
        if _NO_WHEEL in str(error) or "no wheels" in str(error):
            hint = "\nThe layer path installs wheels only: build this app by a Dockerfile (`wherry init` writes one)."
        raise ImageError(f"{requirements}: {error}{hint}") from error


def uv() -> str:
    """The program, beside this interpreter or on PATH."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if not found:
        raise ImageError("dependencies are installed by uv, which is not here: pip install uv")
    return found
