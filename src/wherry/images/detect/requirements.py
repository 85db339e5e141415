"""What a Python project says that it needs, in any of the forms that it may have. Pure."""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from wherry.images.detect.found import Dependencies, Reason
from wherry.images.distributions import normalized

_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_FILES = ("requirements.txt", "requirements/production.txt", "requirements/prod.txt", "requirements/base.txt")
_DEFAULT = "3.13"
SUPPORTED = ("3.14", "3.13", "3.12", "3.11", "3.10")


def dependencies(files: Mapping[str, str]) -> tuple[Dependencies, Reason]:
    """How the packages are installed, and why so."""
    project = _toml(files.get("pyproject.toml", ""))
    names = frozenset(_project_names(project, files))
    built = "build-system" in project or "project" in project
    for lock, manager in (("uv.lock", "uv"), ("poetry.lock", "poetry"), ("pdm.lock", "pdm")):
        if lock in files and "pyproject.toml" in files:
            return Dependencies(manager, "pyproject.toml", lock, names, built), Reason(manager, lock)
    if "Pipfile.lock" in files:
        return Dependencies("pipenv", "Pipfile", "Pipfile.lock", names), Reason("pipenv", "Pipfile.lock")
    for path in _FILES:
        if path in files and not _of_others(path, names, files):
            text = files[path]
            lock = path if "--hash=" in text or _all_pinned(text) else ""
            how = "every version exact" if lock else "versions open"
            found = Dependencies("requirements", path, lock, names | frozenset(requirement_names(path, files)), built)
            return found, Reason("pip", f"{path}, {how}")
    if (project.get("project") or {}).get("dependencies") is not None or _poetry(project) or "setup.py" in files:
        file = "pyproject.toml" if project else "setup.py"
        return Dependencies("pyproject", file, "", names, built or "setup.py" in files), Reason(
            "pip", f"{file}, no lock"
        )
    return Dependencies("none"), Reason("no packages", "nothing names any")


def _of_others(path: str, own: frozenset[str], files: Mapping[str, str]) -> bool:
    """Whether a requirements file is for something else than running the distribution, which says itself what it needs.

    Lists for development and for tests are called so too.
    """
    if re.search(r"^\s*(?:(?:-e|--editable)[ =]+)?\.", files[path], re.MULTILINE):
        return False  # it installs the distribution
    listed = frozenset(requirement_names(path, files))
    return bool(own) and len(own - listed) * 2 > len(own)


def requirement_names(path: str, files: Mapping[str, str], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names in a requirements file and in those that it includes with -r."""
    if path in seen:
        return
    folder = path.rpartition("/")[0]
    for line in files.get(path, "").splitlines():
        text = line.strip()
        include = re.match(r"(?:-r|--requirement)[ =]+(\S+)", text)
        if include:
            yield from requirement_names(f"{folder}/{include[1]}".lstrip("/"), files, seen | {path})
        elif not text.startswith(("#", "-")) and (match := _NAME.match(text)):
            yield normalized(match[1])


def python_version(files: Mapping[str, str]) -> tuple[str, str]:
    """The version of Python to take, as `3.12`, and where it is asked for."""
    for path in (".python-version", "runtime.txt"):
        match = re.search(r"(\d+\.\d+)", files.get(path, ""))
        if match:
            return match[1], path
    project = _toml(files.get("pyproject.toml", ""))
    wanted = (project.get("project") or {}).get("requires-python") or _poetry(project).get("dependencies", {}).get(
        "python"
    )
    if isinstance(wanted, str):
        fitting = [version for version in SUPPORTED if _fits(version, wanted)]
        if fitting:
            chosen = _DEFAULT if _DEFAULT in fitting else fitting[0]
            return chosen, f"pyproject.toml asks for {wanted}"
    return _DEFAULT, "nothing asks for another"


def _fits(version: str, wanted: str) -> bool:
    """Whether a minor version meets a specifier such as `>=3.9,<3.13` or `^3.10`."""
    have = tuple(int(part) for part in version.split("."))
    for part in wanted.replace(" ", "").split(","):
        match = re.match(r"(\^|~=|~|>=|<=|==|!=|<|>)?(\d+)(?:\.(\d+))?(.*)", part)
        if match is None:
            continue
        operator, limit = match[1] or "==", (int(match[2]), int(match[3] or 0))
        rest = match[4]
        if operator in (">=", "^", "~=", "~") and have < limit:
            return False
        if operator == "^" and have[0] != limit[0]:
            return False
        if operator in ("~=", "~") and rest.startswith(".") and have != limit:
            return False
        if operator == "<" and have >= limit:
            return False
        if operator == "<=" and have > limit:
            return False
        if operator == "==" and match[3] and have != limit:
            return False
        if operator == ">" and have <= limit and not rest:
            return False
    return True


def _project_names(project: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[str]:
    for each in (project.get("project") or {}).get("dependencies") or ():
        if isinstance(each, str) and (match := _NAME.match(each)):
            yield normalized(match[1])
    yield from (normalized(name) for name in _poetry(project).get("dependencies") or {} if name != "python")
    for name in _pipfile(files):
        yield normalized(name)
    yield from _metadata(files)
    for each in re.findall(r"install_requires\s*=\s*\[([^\]]*)\]", files.get("setup.py", "")):
        yield from (normalized(name) for name in re.findall(r"[\"']([A-Za-z0-9][A-Za-z0-9._-]*)", each))


def _metadata(files: Mapping[str, str]) -> Iterator[str]:
    """What a source distribution says of itself, and setup.cfg."""
    listed = next((files[path] for path in files if path.endswith(".egg-info/requires.txt")), "")
    lines = listed.partition("\n[")[0].splitlines() if not listed.startswith("[") else []
    lines += re.findall(r"^Requires-Dist: *([^;\n]+)$", files.get("PKG-INFO", ""), re.MULTILINE)
    if match := re.search(r"^install_requires *=((?:\n?[ \t]+.*\n?)+)", files.get("setup.cfg", ""), re.MULTILINE):
        lines += match[1].splitlines()
    yield from (normalized(match[1]) for line in lines if (match := _NAME.match(line)))


def _pipfile(files: Mapping[str, str]) -> list[str]:
    if "Pipfile" in files:
        return list(_toml(files["Pipfile"]).get("packages") or {})
    try:
        locked = json.loads(files.get("Pipfile.lock") or "{}")
    except json.JSONDecodeError:
        return []
    default = locked.get("default") if isinstance(locked, dict) else None
    return list(default) if isinstance(default, dict) else []


def _poetry(project: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (project.get("tool") or {}).get("poetry") or {}
    return found if isinstance(found, dict) else {}


def _all_pinned(text: str) -> bool:
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    wanted = [line for line in lines if line and not line.startswith("-")]
    return bool(wanted) and all("==" in line for line in wanted)


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
