"""The documents that are made of the program are what the program says today."""

import importlib.util
from pathlib import Path
from types import ModuleType

from wherry.kinds.catalog import KINDS

ROOT = Path(__file__).resolve().parents[2]


def docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs", ROOT / "scripts" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_configuration_page_is_made_of_the_fields() -> None:
    page = (ROOT / "docs" / "CONFIGURATION.md").read_text()
    assert page == docs().configuration(), "run `make docs`"


def test_the_scope_names_every_kind() -> None:
    page = (ROOT / "docs" / "SCOPE.md").read_text()
    assert [kind.kind for kind in KINDS if f"`{kind.kind}`" not in page] == []


def test_a_recording_keeps_what_is_on_the_screen_at_the_end() -> None:
    text = "one\r\n\x1b[?25ltwo: 1\r\x1b[2Ktwo: 2\r\n\x1b[1A\x1b[2Kdone\r\n\x1b[?25h"
    assert docs().settled(text) == ["one", "done"]
