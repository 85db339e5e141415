"""What `init` does: find out, and write the files that are lacking."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from wherry import files
from wherry.deploy import compose
from wherry.deploy.errors import InputError
from wherry.deploy.reading import read_folder
from wherry.images.detect import App, Unclear, detect
from wherry.images.init.files import Written, written


@dataclass(frozen=True)
class Start:
    """The app that was found, and the files for it."""

    app: App
    files: Written


def start(folder: Path, name: str, *, base: str = "", force: bool = False) -> Start:
    """Raises InputError where the folder does not say what it is."""
    texts = read_folder(folder)
    there = {
        **texts,
        **{path: "" for path in ("Dockerfile", "wherry.toml", ".dockerignore") if (folder / path).exists()},
    }
    try:
        app = detect(everything(folder, texts))
    except Unclear as unclear:
        raise InputError(f"{folder}: {unclear}") from None
    return Start(app, written(app, name, there, base=base, force=force))


def from_compose(file: Path, force: bool = False) -> tuple[Written, compose.Converted]:
    """The manifests for a compose file, by path relative to its folder. Raises InputError."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: this is no YAML: {error}") from None
    try:
        found = compose.convert(document)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    texts = {
        f"k8s/{name}.yaml": yaml.safe_dump_all(objects, sort_keys=False) for name, objects in found.objects.items()
    }
    kept = tuple(path for path in texts if (file.parent / path).exists() and not force)
    return Written({path: text for path, text in texts.items() if path not in kept}, kept), found


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Each file whole, or not at all."""
    for name, text in texts.items():
        files.write(folder / name, text, mode=files.ANYONE)


def everything(folder: Path, texts: Mapping[str, str]) -> dict[str, str]:
    """Texts, and the names of the files beside them that tell something by being there (locks, pages)."""
    names = (
        "uv.lock",
        "poetry.lock",
        "pdm.lock",
        "Pipfile.lock",
        "package-lock.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "go.sum",
    )
    pages = ("index.html", "public/index.html", "dist/index.html", ".python-version", "runtime.txt", ".nvmrc")
    found = dict(texts)
    for name in (*names, *pages):
        path = folder / name
        if name not in found and path.is_file():
            small = path.stat().st_size < 100_000 and not name.endswith((".html", ".yaml"))
            found[name] = path.read_text(encoding="utf-8", errors="replace") if small else ""
    return found
