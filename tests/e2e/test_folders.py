"""Real projects, one for each way of being started, from folder to HTTP 200 by `wherry up` alone."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bench.folders.fetch import index_url
from bench.folders.run import listed, tried
from tests.e2e.conftest import Engine, Slot
from tests.support.images import DEBS, lend_python
from wherry.images.layout import Layout

pytestmark = [pytest.mark.root, pytest.mark.folders]

SAMPLE = (
    "flask-3.1.3 examples/tutorial",  # a factory, SQLite beside the sources, a command that makes its tables
    "fastapi-0.165.0 docs_src/first_steps",  # ASGI
    "django_bootstrap5-26.4 example",  # manage.py without a wsgi.py
    "datasette-0.65.5",  # a console script with options
)


@dataclass(frozen=True)
class Patient(Engine):
    """Dependencies come over the network."""

    def wherry(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "wherry.cli", *words, *self.options]
        return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, slot: Slot) -> Iterator[Patient]:
    root = tmp_path_factory.mktemp("folders")
    engine = Patient(root, slot.options(root))
    started = engine.wherry("node", "start")
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        asyncio.run(lend_python(Layout.create(root / "st" / "images" / "layout")))
        yield engine
    finally:
        reset = engine.wherry("node", "reset", "--yes")
        assert reset.returncode == 0, reset.stdout + reset.stderr


@pytest.mark.parametrize("title", SAMPLE)
def test_a_real_folder_answers_200_without_a_dockerfile(node: Patient, title: str) -> None:
    (project,) = (one for one in listed() if one.title == title)
    assert not project.given
    outcome = tried(project, node, index_url(), DEBS.parent / "sdists")
    assert outcome.status == 200, outcome.line
