"""Golden files: a text that was looked at once and is compared from then on. `make golden` writes them anew."""

import os
from pathlib import Path


def assert_golden(path: Path, text: str) -> None:
    """The text is that of the file; with WHERRY_GOLDEN=write it becomes so, to be looked at in the diff."""
    if os.environ.get("WHERRY_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs: `make golden`, and look at the diff"
