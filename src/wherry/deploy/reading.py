"""The few files of an app's folder that tell what it is: texts, by their path. Bounded in number, size and depth."""

import os
from collections.abc import Iterator
from pathlib import Path

from wherry.deploy.errors import InputError

LARGEST, MOST_FILES, DEEPEST = 3 * 2**20, 2000, 4
SKIPPED = frozenset(("node_modules", "__pycache__", "venv", "env", "dist", "build", "site-packages", "target"))
KEPT_HIDDEN = frozenset((".k8s", ".dockerignore"))
SUFFIXES = (".yaml", ".yml", ".json", ".py", ".toml", ".txt", ".cfg", ".ini", ".js", ".ts", ".go", ".mod")
NAMES = frozenset(("Dockerfile", "Containerfile", "Procfile", "Pipfile", "Kustomization", "PKG-INFO", ".dockerignore"))


def read_folder(folder: Path) -> dict[str, str]:
    """Path (with `/`, relative to the folder) -> text. Raises InputError where there is no such folder."""
    if not folder.exists():
        raise InputError(f"{folder}: there is no such folder")
    if not folder.is_dir():
        raise InputError(f"{folder} is a file: name the app's folder")
    out: dict[str, str] = {}
    try:
        for path in _files(folder):
            if len(out) >= MOST_FILES:
                break
            text = _text(folder / path)
            if text is not None:
                out[path] = text
    except PermissionError as error:
        raise InputError(f"{error.filename}: may not be read") from None
    return out


def _files(folder: Path) -> Iterator[str]:
    for parent, directories, names in os.walk(folder):
        relative = os.path.relpath(parent, folder)
        depth = 0 if relative == "." else relative.count(os.sep) + 1
        directories[:] = sorted(
            name
            for name in directories
            if depth < DEEPEST and name not in SKIPPED and (not name.startswith(".") or name in KEPT_HIDDEN)
        )
        for name in sorted(names):
            if name in NAMES or name.startswith("Dockerfile") or name.endswith(SUFFIXES):
                yield name if relative == "." else f"{relative}/{name}".replace(os.sep, "/")


def _text(path: Path) -> str | None:
    """None for what is no text, too large, or gone."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return None
        return path.read_bytes().decode("utf-8-sig")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
