"""What a folder without a Dockerfile is, remembered: an edit that cannot change the answer does not ask again.

Detection reads every source file; on a large app that takes longer than building its image.
"""

import ast
import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wherry import files
from wherry.deploy.starting import everything
from wherry.images import detect
from wherry.images.detect import App, Reason
from wherry.images.detect.found import Dependencies
from wherry.version import __version__

_MOST_EDITED = 50  # files whose outlines are kept: those that are worked on


@dataclass(frozen=True)
class _Note:
    program: str = ""
    app: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)  # path -> digest
    outlines: Mapping[str, str] = field(default_factory=dict)  # of the files that were edited


@dataclass(frozen=True)
class Detection:
    """`detect` for one folder; `cache` is where it is noted what was found.

    `before` are the texts of the look before by this process: with them the first edit of a file is quick as well.
    """

    folder: Path
    cache: Path
    before: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, texts: Mapping[str, str]) -> App:
        """`texts` as `read_folder` gives them. Raises Unclear."""
        found = everything(self.folder, dict(texts))
        digests = {path: _digest(text) for path, text in found.items()}
        path = self.cache / "detected" / f"{_digest(str(self.folder.resolve()))}.json"
        note = _read(path)
        same_program = note.program == _program()
        edited = [name for name, digest in digests.items() if note.files.get(name) != digest]
        if same_program and not edited and digests.keys() == note.files.keys():
            return _app(note.app)
        outlines = {name: outline(found[name]) for name in edited[:_MOST_EDITED] if name.endswith(".py")}
        known = {**self._outlines(note, outlines), **note.outlines}
        unchanged = digests.keys() == note.files.keys() and all(
            name in outlines and known.get(name) == outlines[name] for name in edited
        )
        app = _app(note.app) if same_program and unchanged else detect.detect(found)
        kept = {**note.outlines, **(outlines if note.files else {})}
        kept = dict(list(kept.items())[-_MOST_EDITED:])
        _write(path, _Note(_program(), asdict(app), digests, kept))
        return app

    def _outlines(self, note: _Note, edited: Mapping[str, str]) -> dict[str, str]:
        """Of these files as they were when the note was made."""
        return {
            name: outline(self.before[name])
            for name in edited
            if name not in note.outlines and _digest(self.before.get(name, "")) == note.files.get(name)
        }


def outline(source: str) -> str:
    """A digest of what detection can see of a module: top-level statements, imports, signatures, calls."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return _digest(source)
    return _digest("\n".join(_seen(tree)))


def _seen(tree: ast.Module) -> Iterator[str]:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    for statement in tree.body:
        if not isinstance(statement, definitions):
            yield ast.dump(statement)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
            yield ast.dump(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{node.name} {ast.dump(node.args)} {[ast.dump(one) for one in node.decorator_list]}"
        elif isinstance(node, ast.ClassDef):
            yield f"{node.name} {[ast.dump(one) for one in (*node.bases, *node.decorator_list)]}"


def _app(value: Mapping[str, Any]) -> App:
    needs = {**value["dependencies"], "names": frozenset(value["dependencies"]["names"])}
    reasons = [Reason(**one) for one in value["reasons"]]
    return App(**{**value, "dependencies": Dependencies(**needs), "reasons": reasons})


def _program() -> str:
    """Another version of detection may find something else."""
    modules = sorted(Path(detect.__file__).parent.glob("*.py"))
    return _digest(__version__, *(f"{path.name} {path.stat().st_mtime_ns}" for path in modules))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="surrogatepass")).hexdigest()[:32]


def _read(path: Path) -> _Note:
    try:
        note = _Note(**json.loads(path.read_bytes()))
        _app(note.app)
    except (OSError, ValueError, KeyError, TypeError):
        return _Note()
    return note


def _write(path: Path, note: _Note) -> None:
    """Whoever may not write there does without."""
    with contextlib.suppress(OSError):
        files.write(path, json.dumps(vars(note), default=sorted))
