"""What `init` writes is read by both builders and leaves the checks nothing to say."""

import tomllib
from dataclasses import replace
from datetime import date

import pytest

from wherry.deploy import project
from wherry.images.check import ignore
from wherry.images.check.check import check
from wherry.images.check.folder import Builder, Folder
from wherry.images.detect import detect
from wherry.images.init.dockerfile import dockerfile
from wherry.images.init.files import settings, written

FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FOLDERS: dict[str, dict[str, str]] = {
    "pip": {"app.py": FLASK, "requirements.txt": "flask==3.1.0\n"},
    "pip in a folder": {"app.py": FLASK, "requirements/production.txt": "flask==3.1.0\ngunicorn==23.0.0\n"},
    "uv": {"app.py": FLASK, "pyproject.toml": "[project]\nname='x'\ndependencies=['flask']", "uv.lock": "x"},
    "poetry": {"app.py": FLASK, "pyproject.toml": "[tool.poetry.dependencies]\nflask='3'", "poetry.lock": "x"},
    "pdm": {"app.py": FLASK, "pyproject.toml": "[project]\ndependencies=['flask']", "pdm.lock": "x"},
    "pipenv": {"app.py": FLASK, "Pipfile": "[packages]\nflask='*'", "Pipfile.lock": "{}"},
    "none": {"app.py": "import http.server\nif __name__ == '__main__':\n    http.server.run(port=8000)\n"},
    "fastapi": {"main.py": "from fastapi import FastAPI\napp = FastAPI()", "requirements.txt": "fastapi==0.115.0\n"},
    "django": {
        "manage.py": "x",
        "shop/wsgi.py": "x",
        "shop/settings.py": "STATIC_ROOT = 1",
        "requirements.txt": "django==5.2\n",
    },
    "streamlit": {"app.py": "import streamlit", "requirements.txt": "streamlit==1.40.0\n"},
    "node": {
        "package.json": '{"scripts": {"start": "node s.js", "build": "x"}}',
        "package-lock.json": "x",
        "s.js": "x",
    },
    "pnpm": {"package.json": '{"scripts": {"start": "node s.js"}}', "pnpm-lock.yaml": "x"},
    "go": {"go.mod": "module x\n\ngo 1.24\n", "main.go": "package main\nfunc main() {}", "go.sum": "x"},
    "static": {"public/index.html": "x"},
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_the_checks_have_nothing_to_say(kind: str) -> None:
    files = FOLDERS[kind]
    made = written(detect(files), "shop", files).files
    there = {**files, **made}
    folder = Folder(
        files={path: len(text) for path, text in there.items()},
        ignore=ignore.parse(there[".dockerignore"]),
        ignore_lines=tuple(there[".dockerignore"].splitlines()),
        locked=True,
        builder=Builder("buildah", (1, 28, 2)),
    )
    assert [str(one) for one in check(there["Dockerfile"], "Dockerfile", folder, date(2026, 11, 1))] == []


@pytest.mark.parametrize("kind", FOLDERS)
def test_the_settings_are_those_that_up_reads(kind: str) -> None:
    files = FOLDERS[kind]
    app = detect(files)
    text = written(app, "shop", files).files["wherry.toml"]
    assert tomllib.loads(text)["port"] == app.port
    assert project.parse(text, "wherry.toml").name == "shop"


def test_files_that_are_there_stay_unless_told() -> None:
    files = {**FOLDERS["pip"], "Dockerfile": "FROM mine:1"}
    made = written(detect(files), "shop", files)
    assert made.kept == ("Dockerfile",)
    assert sorted(made.files) == [".dockerignore", "wherry.toml"]
    forced = written(detect(files), "shop", files, force=True)
    assert forced.kept == ()
    assert "gunicorn" in forced.files["Dockerfile"]


def test_a_base_of_ones_own_is_taken_in_every_stage() -> None:
    text = dockerfile(detect(FOLDERS["pip"]), "localhost/wherry/python:3.11")
    assert text.count("FROM localhost/wherry/python:3.11") == 2
    assert "python:3.13" not in text


def test_the_settings_say_what_writes_into_its_own_folder() -> None:
    found = detect({"app.py": "from flask import Flask\napp = Flask('x')\nURI = 'sqlite:///shop.db'\n"})
    text = settings(replace(found, prepare=[["flask", "init-db", "a b"]]), "shop")
    read = project.parse(text, "wherry.toml")
    assert (read.writable, read.prepare, read.replicas) == (True, ("flask init-db 'a b'",), 1)
