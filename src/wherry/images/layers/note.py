"""What was last made of a folder, noted beside the layout: how its files were, and where the layer has them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry import files
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
    files.write(path, json.dumps({"format": FORMAT, "note": vars(note)}, separators=(",", ":")))
