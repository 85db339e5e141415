"""Install dependencies with uv into a directory, for the image's Python and platform and not this machine's."""

import configparser
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wherry.images.errors import ImageError
from wherry.images.host import host_settings
from wherry.process import ProgramError, run

LARGEST_FILE = 4 << 30  # bytes; what unpacks to more is no wheel of good will
_SECONDS = 1800.0
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC = (17, 28, *range(31, 41))  # the minor versions that uv has platforms of
_NO_WHEEL = (
    re.compile(r"Wheels are required for `([^`]+)`"),
    re.compile(r"Building source distributions for `([^`]+)` is disabled"),  # a folder's
    re.compile(r"([A-Za-z0-9][\w.-]*(?:==[\w.!+]+)?) has no (?:usable )?wheels"),
)
_BUILT = re.compile(r"^\s*Built (\S+)", re.MULTILINE)
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")
_INDEXES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")
_FROM_PIP = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
}


@dataclass(frozen=True)
class Platform:
    """What the wheels are for."""

    python: str  # 3.11
    architecture: str  # amd64
    glibc: str = "2.36"
    native: bool = True  # this machine is of the same kind

    @property
    def words(self) -> tuple[str, ...]:
        if self.architecture not in _MACHINES:
            raise ImageError(f"no wheels are known for {self.architecture}; known are {', '.join(_MACHINES)}")
        have = int(self.glibc.partition(".")[2] or 17)
        minor = max((known for known in _GLIBC if known <= have), default=_GLIBC[0])
        machine = _MACHINES[self.architecture]
        return "--python-version", self.python, "--python-platform", f"{machine}-manylinux_2_{minor}"


@dataclass(frozen=True)
class Wanted:
    """What is to be installed. `key` changes with whatever changes the answer; `pinned`: hashes hold all of it."""

    files: tuple[Path, ...] = ()
    constraints: Path | None = None
    extra: tuple[str, ...] = ()
    key: str = ""
    pinned: bool = False

    @property
    def words(self) -> list[str]:
        words = [word for file in self.files for word in ("-r", str(file))]
        words += ["-c", str(self.constraints)] if self.constraints else []
        return [*words, *(["--require-hashes"] if self.pinned and not self.extra else []), *self.extra]


async def install(wanted: Wanted, target: Path, platform: Platform, folder: Path, tell: Callable[[str], None]) -> None:
    """Wheels; what has none is named, and built on this machine if it can be. Raises ImageError in uv's words."""
    if not wanted.files and not wanted.extra:
        return
    common = ("pip", "install", "--no-progress", "--target", str(target), "--link-mode", "copy", *platform.words)
    wheels = ("--only-binary", ":all:", "--python", sys.executable)
    try:
        await call_uv(*common, *wheels, *wanted.words, cwd=folder)
    except ProgramError as error:
        names = without_wheels(str(error))
        if not names:
            raise ImageError(_explained(str(error), wanted)) from None
        builder = await _builder(names, platform)
        tell(f"no wheel for {', '.join(names)}: built on this machine by Python {platform.python}, once")
        shutil.rmtree(target, ignore_errors=True)
        try:
            said = await call_uv(*common, "--python", builder, *wanted.words, cwd=folder)
        except ProgramError as failed:
            text = f"{', '.join(names)} has no wheel, and building one failed: {_explained(str(failed), wanted)}"
            raise ImageError(
                f"{text}\nA Dockerfile can install what the build needs: `wherry init` writes one"
            ) from None
        for name in _BUILT.findall(said):
            tell(f"built {name} from source")


async def compile_pins(file: Path, platform: Platform) -> str:
    """The exact versions that a project without a lock needs now. Raises ImageError in uv's words."""
    words = ("pip", "compile", "--quiet", "--no-header", "--no-annotate", "--no-emit-index-url", "--generate-hashes")
    try:
        return await call_uv(*words, *platform.words, "--python", sys.executable, file.name, cwd=file.parent)
    except ProgramError as error:
        raise ImageError(_explained(str(error), Wanted(files=(file,)))) from None


async def export_lock(folder: Path) -> str:
    """`uv.lock` as requirements with hashes. Raises ImageError in uv's words."""
    words = ("export", "--quiet", "--frozen", "--no-dev", "--no-emit-workspace", "--no-header", "--no-annotate")
    try:
        return await call_uv(*words, "--python", sys.executable, cwd=folder)
    except ProgramError as error:
        raise ImageError(f"{folder / 'uv.lock'}: {_plain(str(error))}") from None


async def call_uv(*words: str, cwd: Path) -> str:
    """What it prints, both ways. Raises ProgramError, without passwords."""
    env = environment(os.environ, Path.home())
    limited = ("prlimit", f"--fsize={LARGEST_FILE}", "--core=0") if shutil.which("prlimit") else ()
    done = await run(*limited, _uv(), *words, env=env, cwd=str(cwd), timeout=_SECONDS, check=False)
    if done.code:
        said = (done.stderr.strip() or done.stdout.strip())[-4000:]
        too_large = "File too large" in said or "os error 27" in said or done.code in (-25, 153)
        bound = f"a file in a package is larger than {LARGEST_FILE >> 20} MiB; " if too_large else ""
        raise ProgramError(f"{bound}uv: {_PASSWORD.sub('', said)}")
    return f"{done.stdout}{done.stderr if 'install' in words else ''}"


def environment(env: Mapping[str, str], home: Path) -> dict[str, str]:
    """For uv: the caller's, with pip's indexes where uv has none. Never arguments, which `ps` shows to all."""
    more = {
        "UV_NO_INSTALLER_METADATA": "1",
        "UV_COMPILE_BYTECODE": "0",
        "UV_PYTHON_DOWNLOADS": "never",
        "NO_COLOR": "1",
    }
    files = host_settings(env, home).files
    if "xdg/uv/uv.toml" not in files and not any(env.get(name) for name in _INDEXES):
        parser = configparser.RawConfigParser()
        parser.read_string(files.get("xdg/pip/pip.conf", b"").decode())
        pip = dict(parser.items("global")) if parser.has_section("global") else {}
        more |= {name: pip[key] for key, name in _FROM_PIP.items() if pip.get(key)}
    return {**env, **more}


def without_wheels(said: str) -> list[str]:
    """The packages that uv finds no wheel of, from its words."""
    flat = " ".join(said.replace("│", " ").split())
    named = [name for pattern in _NO_WHEEL for name in pattern.findall(flat)]
    exact = {name.partition("==")[0]: name for name in sorted(named, key=len)}
    return sorted({exact[name.partition("==")[0]] for name in named})


async def _builder(names: Sequence[str], platform: Platform) -> str:
    """A Python of the image's version on this machine, to build with."""
    reason = f"{', '.join(names)} has no wheel for Python {platform.python} on linux/{platform.architecture}"
    hint = "\nPin a version that has one, or build by a Dockerfile: `wherry init` writes one"
    if not platform.native:
        raise ImageError(f"{reason}, and it cannot be built here: this machine is of another kind{hint}")
    try:
        found = await call_uv("python", "find", "--no-project", platform.python, cwd=Path("/"))
    except ProgramError:
        raise ImageError(
            f"{reason}, and to build it Python {platform.python} is needed on this machine{hint}"
        ) from None
    return found.strip()


def _explained(said: str, wanted: Wanted) -> str:
    where = ", ".join(map(str, wanted.files))
    return f"{where}: {_plain(said)}" if where else _plain(said)


def _plain(said: str) -> str:
    """uv's words without its drawing."""
    lines = (re.sub(r"^[\s×│╰├─▶]+", "", line) for line in said.removeprefix("uv: ").splitlines())
    return "\n  ".join(line for line in lines if line and not line.startswith("Using "))


def _uv() -> str:
    """The program, beside this interpreter or on PATH."""
    found = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if not found:
        raise ImageError("dependencies are installed by uv, which is not here: pip install uv")
    return found
