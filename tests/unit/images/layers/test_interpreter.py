"""Two builds at once unpack the base's Python at the same time."""

from pathlib import Path

import pytest

from wherry.images.layers.interpreter import settle


def test_the_second_takes_what_the_first_has_made(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "python").write_text(name)
        settle(tmp_path / name, tmp_path / "place")
    assert (tmp_path / "place" / "python").read_text() == "first"


def test_what_is_wrong_otherwise_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        settle(tmp_path / "gone", tmp_path / "place")
