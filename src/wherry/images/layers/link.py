"""The folder's own distribution, as an editable install has it: its metadata, its scripts and the way to its modules.

The modules themselves are in the app's layer. Nothing of the folder is run, and an edit leaves this layer as it is.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from wherry.images.detect import program
from wherry.images.detect.found import Dependencies
from wherry.images.layers.content import file_member
from wherry.images.layers.tar import Member
from wherry.images.layers.wheels import VENV, record_of, script, site_packages

_READ = ("pyproject.toml", "setup.cfg", "setup.py", "PKG-INFO")
_UNKNOWN = "0"  # what tools say of a distribution that does not know its version


def wanted(needs: Dependencies | None) -> bool:
    """Whether something may ask for the distribution: its scripts, its entry points, its version."""
    return needs is not None and (needs.itself or (needs.manager == "pyproject" and needs.build_system))


def linked(folder: Path, app: str, python: str) -> list[Member]:
    """The members; `app` is where the image has the folder. None where the folder does not say its name."""
    files = {path: _text(folder / path) for path in (*_READ, *_listed(folder)) if (folder / path).is_file()}
    name = program.distribution(files)
    if not name:
        return []
    plain = re.sub(r"[^A-Za-z0-9.]+", "_", name)
    site, info = site_packages(python), f"{plain}-{version(files)}.dist-info"
    points = program.entry_points(files)
    texts = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version(files)}\n",
        f"{info}/entry_points.txt": "\n".join(_lines(points)),
        f"{plain}.pth": f"/{app}{'/src' if _in_src(folder) else ''}\n",
    }
    members = [file_member(f"{site}/{path}", text.encode()) for path, text in texts.items()]
    for called, target in points.get("console_scripts", {}).items():
        if (text := script(target)) and re.fullmatch(r"[\w.-]+", called):
            members.append(file_member(f"{VENV}/bin/{called}", text, executable=True))
    members.append(file_member(f"{site}/{info}/RECORD", record_of(members, site, info)))
    return members


def version(files: Mapping[str, str]) -> str:
    """What the distribution says of itself, "0" where only its build tool would know."""
    if match := re.search(r"^Version: *(\S+)", files.get("PKG-INFO", ""), re.MULTILINE):
        return match[1]
    try:
        document = tomllib.loads(files.get("pyproject.toml", ""))
    except tomllib.TOMLDecodeError:
        document = {}
    poetry = (document.get("tool") or {}).get("poetry") or {}
    said = (document.get("project") or {}).get("version") or poetry.get("version")
    if not said and (match := re.search(r"^version *= *(\d\S*)", files.get("setup.cfg", ""), re.MULTILINE)):
        said = match[1]
    if not said and (match := re.search(r"\bversion *= *[\"'](\d[^\"']*)", files.get("setup.py", ""))):
        said = match[1]
    return str(said) if said and re.fullmatch(r"[A-Za-z0-9.!+_]+", str(said)) else _UNKNOWN


def _listed(folder: Path) -> Iterator[str]:
    for pattern in ("*.egg-info/entry_points.txt", "src/*.egg-info/entry_points.txt"):
        yield from sorted(str(path.relative_to(folder)) for path in folder.glob(pattern))


def _in_src(folder: Path) -> bool:
    """Whether the modules are below src/, which is then no package itself."""
    source = folder / "src"
    if not source.is_dir() or (source / "__init__.py").exists():
        return False
    return any(source.glob("*/__init__.py")) or any(source.glob("*.py"))


def _lines(points: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for group, entries in sorted(points.items()):
        yield f"[{group}]"
        yield from (f"{name} = {target}" for name, target in sorted(entries.items()))
        yield ""


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
