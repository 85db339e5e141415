"""What an app needs, in the words of a requirements file, whichever tool has locked it."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wherry import files
from wherry.images.detect.found import Dependencies
from wherry.images.errors import ImageError
from wherry.images.init.dockerfile import SERVERS
from wherry.images.layers.install import Platform, Wanted, compile_pins, export_lock

_INCLUDE = re.compile(r"^\s*(?:-r|--requirement|-c|--constraint)[ =]+(\S+)", re.MULTILINE)
_LOCAL = re.compile(r"^\s*(?:(?:-e|--editable)[ =]+\S+|\.{1,2}(?:/\S*)?(?:\[[^\]]*\])?)\s*(?:#.*)?$", re.MULTILINE)
_DEPTH = 8
_MOST_FILES = 5000  # of another folder's distribution that are looked at for a change
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "README.md")


async def wanted(folder: Path, needs: Dependencies, extra: Sequence[str], platform: Platform, cache: Path) -> Wanted:
    """Raises ImageError where a lock cannot be read or a project's needs cannot be resolved."""
    servers = tuple(SERVERS.get(name, name) for name in extra)
    match needs.manager:
        case "none":
            return _keyed(servers, "")
        case "imports":
            pins = await _newest_now(sorted(needs.names), platform, cache)
            return _keyed(servers, pins.name, files=(pins,))
        case "requirements":
            return await _requirements(folder, needs, servers, platform, cache)
        case "uv":
            texts = _texts(folder, (needs.file, needs.lock))
            path = cache / "pins" / _digest("uv", texts)
            if not path.exists():
                _keep(path, await export_lock(folder))
            return _keyed(servers, texts, files=(path,), pinned=True)
        case "pipenv":
            text = "".join(_pipenv(_read(folder / needs.lock)))
            path = cache / "pins" / _digest("pipenv", text)
            _keep(path, text)
            return _keyed(servers, text, files=(path,), pinned="--hash=" in text)
        case "poetry" | "pdm":
            return _constrained(folder, needs, servers, cache)
    pins = await _pins(folder, needs.file, platform, cache)
    return _keyed(servers, pins.name, files=(pins,))


async def _requirements(
    folder: Path, needs: Dependencies, servers: tuple[str, ...], platform: Platform, cache: Path
) -> Wanted:
    file = folder / needs.file
    text = "".join(_closure(file))
    if not _LOCAL.search(text):
        return _keyed(servers, text, files=(file,), pinned="--hash=" in text)
    # The app's own folder is in the image anyway; of its distribution only what it needs is installed.
    others = dict(_others(folder, text))
    rest = _LOCAL.sub("", _INCLUDE.sub("", text)) + "".join(f"{one}\n" for one in others)
    path = cache / "pins" / _digest("rest", rest)
    _keep(path, rest)
    if not _installs(folder, text):
        return _keyed(servers, f"{rest}{others}", files=(path,))
    project = next((name for name in ("pyproject.toml", "setup.py") if (folder / name).is_file()), "")
    if not project:
        raise ImageError(f"{file} installs a folder that is no distribution: it has no pyproject.toml and no setup.py")
    pins = await _pins(folder, project, platform, cache)
    return _keyed(servers, f"{rest}{pins.name}", files=(path, pins))


def _others(folder: Path, text: str) -> Iterator[tuple[str, str]]:
    """The distributions in other folders that a requirements file installs, with a digest of what they are now."""
    for line in _LOCAL.findall(text):
        place = _place(folder, line)
        if place != folder.resolve() and any((place / name).is_file() for name in ("pyproject.toml", "setup.py")):
            stats = (f"{one} {one.stat().st_mtime_ns}" for one in sorted(place.rglob("*.py"))[:_MOST_FILES])
            yield str(place), _digest(*stats)


def _installs(folder: Path, text: str) -> bool:
    """Whether a requirements file installs the folder itself."""
    return any(_place(folder, line) == folder.resolve() for line in _LOCAL.findall(text))


def _place(folder: Path, line: str) -> Path:
    """The folder that a line of a requirements file means."""
    words = re.sub(r"^\s*(?:-e|--editable)[ =]+", "", line.partition("#")[0]).strip()
    return (folder / re.sub(r"\[[^\]]*\]$", "", words)).resolve()


async def _newest_now(names: Sequence[str], platform: Platform, cache: Path) -> Path:
    """Exact versions for packages that are known by their names alone: what was found stays."""
    text = "".join(f"{name}\n" for name in names)
    path = cache / "pins" / _digest("names", f"{platform}{text}")
    if not path.exists():
        asked = path.with_suffix(".in")
        _keep(asked, text)
        _keep(path, await compile_pins(asked, platform))
    return path


async def _pins(folder: Path, file: str, platform: Platform, cache: Path) -> Path:
    """Exact versions for a project without a lock: what was found stays, until the project changes."""
    texts = _texts(folder, [name for name in (*_PROJECT_FILES, file) if (folder / name).is_file()])
    path = cache / "pins" / _digest("pins", f"{platform}{texts}")
    if not path.exists():
        _keep(path, await compile_pins(folder / file, platform))
    return path


def _constrained(folder: Path, needs: Dependencies, servers: tuple[str, ...], cache: Path) -> Wanted:
    """The project's direct needs, at the versions in the lock: so groups and extras need no rules of their own."""
    project, lock = _toml(folder / needs.file), _toml(folder / needs.lock)
    packages = [one for one in lock.get("package", ()) if isinstance(one, dict) and one.get("version")]
    for one in packages:
        source = one.get("source") or {}
        if source.get("type") in ("git", "directory", "file", "url") or one.get("git") or one.get("path"):
            raise ImageError(
                f"{folder / needs.lock}: {one.get('name')} comes from {source.get('type') or 'a path'}, and not from "
                "an index: the layer path cannot install it; `wherry init` writes a Dockerfile that can"
            )
    pins = "".join(f"{one['name']}=={one['version']}\n" for one in _newest(packages))
    direct = "".join(f"{line}\n" for line in direct_needs(project))
    texts = f"{direct}\0{pins}"
    files = []
    for kind, text in (("direct", direct), ("constraints", pins)):
        files.append(cache / "pins" / _digest(kind, text))
        _keep(files[-1], text)
    return _keyed(servers, texts, files=(files[0],), constraints=files[1])


def _newest(packages: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """A lock may have a package twice, for different markers: then its version is left to the resolver."""
    names = [one["name"] for one in packages]
    return (one for one in packages if names.count(one["name"]) == 1)


def direct_needs(project: Mapping[str, Any]) -> Iterator[str]:
    """What a pyproject.toml asks for, in the standard's table or Poetry's."""
    yield from (project.get("project") or {}).get("dependencies") or ()
    poetry = ((project.get("tool") or {}).get("poetry") or {}).get("dependencies") or {}
    for name, spec in poetry.items():
        if name.lower() == "python":
            continue
        found = spec if isinstance(spec, dict) else {}
        if found.get("optional"):
            continue
        extras = f"[{','.join(found['extras'])}]" if found.get("extras") else ""
        mark = f" ; {found['markers']}" if found.get("markers") else ""
        yield f"{name}{extras}{mark}"


def _pipenv(text: str) -> Iterator[str]:
    try:
        default: Mapping[str, Any] = json.loads(text).get("default") or {}
    except (ValueError, AttributeError) as error:
        raise ImageError(f"Pipfile.lock is no lock of pipenv: {error}") from error
    for name, one in sorted(default.items()):
        if not isinstance(one, dict) or "version" not in one:
            raise ImageError(
                f"Pipfile.lock: {name} comes from no index: the layer path cannot install it; "
                "`wherry init` writes a Dockerfile that can"
            )
        extras = f"[{','.join(one['extras'])}]" if one.get("extras") else ""
        mark = f" ; {one['markers']}" if one.get("markers") else ""
        hashes = "".join(f" --hash={each}" for each in one.get("hashes", ()))
        yield f"{name}{extras}{one['version']}{mark}{hashes}\n"


def _closure(path: Path, depth: int = 0) -> Iterator[str]:
    """The file's text and that of all that it includes."""
    if depth > _DEPTH:
        raise ImageError(f"{path}: requirements files include one another without an end")
    text = _read(path)
    yield f"{text}\n"
    for name in _INCLUDE.findall(text):
        if "://" not in name:
            yield from _closure(path.parent / name, depth + 1)


def _texts(folder: Path, names: Sequence[str]) -> str:
    return "\0".join(_read(folder / name) for name in dict.fromkeys(names))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ImageError(f"{path} is no UTF-8 text: {error.reason} at byte {error.start}") from error


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(_read(path))
    except tomllib.TOMLDecodeError as error:
        raise ImageError(f"{path}: {error}") from error


def _keyed(
    extra: tuple[str, ...],
    text: str,
    *,
    files: tuple[Path, ...] = (),
    constraints: Path | None = None,
    pinned: bool = False,
) -> Wanted:
    return Wanted(files, constraints, extra, _digest(*extra, text), pinned)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:40]


def _keep(path: Path, text: str) -> None:
    if not path.exists():
        files.write(path, text)
