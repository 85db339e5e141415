"""What a folder is, asked once."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from wherry.deploy.detection import Detection, outline
from wherry.images import detect as room
from wherry.images.detect import App

FILES = {
    "app.py": "from flask import Flask\napp = Flask(__name__)\n\ndef word():\n    return 'one'\n",
    "requirements.txt": "flask==3.1.2\n",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, str]]:
    """Each time that the folder was read in full."""
    calls: list[Mapping[str, str]] = []
    real = room.detect

    def detect(files: Mapping[str, str]) -> App:
        calls.append(files)
        return real(files)

    monkeypatch.setattr(room, "detect", detect)
    return calls


def told(app: App) -> str:
    """All of it: what was noted has lists in the place of tuples."""
    return json.dumps(asdict(app), default=sorted)


def test_the_same_files_are_asked_once(tmp_path: Path, asked: list[Mapping[str, str]]) -> None:
    look = Detection(tmp_path, tmp_path / "cache")
    assert told(look(FILES)) == told(look(FILES))
    assert len(asked) == 1


def test_an_edit_that_detection_cannot_see_asks_no_more(tmp_path: Path, asked: list[Mapping[str, str]]) -> None:
    look = Detection(tmp_path, tmp_path / "cache")
    found = [look({**FILES, "app.py": FILES["app.py"].replace("one", word)}) for word in ("one", "two", "three")]
    assert len({told(app) for app in found}) == 1
    assert len(asked) == 2  # the first edit of a file has no outline to compare with


def test_a_process_that_has_seen_the_file_before_does_not_ask_at_its_first_edit(
    tmp_path: Path, asked: list[Mapping[str, str]]
) -> None:
    Detection(tmp_path, tmp_path / "cache")(FILES)
    look = Detection(tmp_path, tmp_path / "cache", FILES)
    look({**FILES, "app.py": FILES["app.py"].replace("one", "two")})
    assert len(asked) == 1
    look({**FILES, "app.py": "from fastapi import FastAPI\napp = FastAPI()\n"})
    assert len(asked) == 2


@pytest.mark.parametrize(
    "edited",
    [
        {"app.py": "from fastapi import FastAPI\napp = FastAPI()\n"},
        {"app.py": f"{FILES['app.py']}@app.get('/healthz')\ndef ok(): return ''\n"},
        {"requirements.txt": "flask==3.1.2\ngunicorn==23.0.0\n"},
        {"Procfile": "web: python app.py\n"},
    ],
)
def test_what_may_change_the_answer_is_asked(
    tmp_path: Path, asked: list[Mapping[str, str]], edited: dict[str, str]
) -> None:
    look = Detection(tmp_path, tmp_path / "cache")
    look(FILES)
    look({**FILES, "app.py": f"{FILES['app.py']}\n"})
    before = look({**FILES, "app.py": f"{FILES['app.py']}\n"})
    assert look({**FILES, "app.py": f"{FILES['app.py']}\n", **edited}) is not before
    assert len(asked) == 3


def test_an_outline_has_calls_and_signatures_and_no_more() -> None:
    source = "import a\n\ndef f(x):\n    return g(1)\n"
    assert outline(source) == outline(source.replace("\n    return g(1)", "\n    y = 5\n    return g(1)"))
    assert outline(source) != outline(source.replace("g(1)", "g(2)"))
    assert outline(source) != outline(source.replace("f(x)", "f(x, y)"))
    assert outline("def (") != outline("def )")
