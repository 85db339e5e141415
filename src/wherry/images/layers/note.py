"""What was last made of a folder, noted beside the layout: how its files were, and where the layer has them."""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.images.errors import ImageError
from wherry.images.layout import Layout

FORMAT = 3

Place = tuple[int, int]
"""Offset and length of an entry in the layer."""


@dataclass(frozen=True)
class Note:
    """An empty one knows nothing, and is always right."""

    made: int = 0
    interpreter: str = ""
    rules: str = ""
    digest: str = ""
    size: int = 0
    files: Mapping[str, list[int]] = field(default_factory=dict)
    members: Mapping[str, Place] = field(default_factory=dict)
    directories: list[str] = field(default_factory=list)

    def usable(self, layout: Layout, interpreter: str) -> bool:
        """Whether the layer is there, whole, and made by `interpreter`."""
        try:
            return self.interpreter == interpreter and layout.path(self.digest).stat().st_size == self.size
        except (OSError, ImageError):
            return False


def read(path: Path) -> Note:
    try:
        value: dict[str, Any] = json.loads(path.read_bytes())
        return Note(**value["note"]) if value["format"] == FORMAT else Note()
    except (OSError, ValueError, KeyError, TypeError):
        return Note()


def write(path: Path, note: Note) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(number, "w") as file:
            json.dump({"format": FORMAT, "note": vars(note)}, file, separators=(",", ":"))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
