"""`wherry up --watch` on real containers: edits are answered, failures told; Ctrl-C leaves the app."""

import asyncio
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Engine
from tests.support.images import lend_python
from wherry.images.layout import Layout

pytestmark = pytest.mark.root

SECONDS = 60.0
PROGRAM = """\
import http.server
import word
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        data = word.WORD.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


class Watching:
    """The command, and what it says, line by line."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        argv = [sys.executable, "-u", "-m", "wherry.cli", "up", str(folder), "--watch", *engine.options]
        self._child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._lines: queue.Queue[str] = queue.Queue()
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line.rstrip())
        self._lines.put("(ended)")

    def until(self, part: str) -> str:
        end = time.monotonic() + SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                line = "(ended)"
            self.said.append(line)
            if part in line:
                return line
            assert line != "(ended)", "\n".join(self.said)

    def stop(self) -> int:
        self._child.send_signal(signal.SIGINT)
        return self._child.wait(SECONDS)

    def end(self) -> None:
        self._child.kill()
        self._child.wait()
        self._reader.join()
        assert self._child.stdout is not None
        self._child.stdout.close()


@pytest.fixture
def folder(engine: Engine, tmp_path: Path) -> Iterator[Path]:
    asyncio.run(lend_python(Layout.create(engine.root / "st" / "images" / "layout")))
    folder = tmp_path / "watched"
    folder.mkdir()
    (folder / "app.py").write_text(PROGRAM)
    (folder / "word.py").write_text("WORD = 'one'\n")
    (folder / "wherry.toml").write_text('command = ["python", "app.py"]\nport = 8000\nreplicas = 1\n')
    yield folder
    engine.wherry("down", str(folder))


def answer(url: str, wanted: str) -> str:
    end = time.monotonic() + SECONDS
    said = ""
    while said != wanted and time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as reply:
            said = reply.read().decode()
    return said


def test_edits_are_rolled_out_failures_are_told_and_the_app_outlives_the_command(engine: Engine, folder: Path) -> None:
    watching = Watching(engine, folder)
    try:
        url = watching.until("http://").split()[0]
        watching.until("watching ")
        assert answer(url, "one") == "one"

        (folder / "word.py").write_text("WORD = 'two'\n")
        assert answer(url, "two") == "two"
        line = watching.until(" in all")
        assert [
            phase for phase in ("build", "import", "apply", "ready", "rollout", "first answer") if phase not in line
        ] == []

        (folder / "word.py").write_text("WORD = \n")
        watching.until("does not come up")
        watching.until("SyntaxError")
        assert answer(url, "two") == "two"

        beside = folder / "beside.tmp"
        beside.write_text("WORD = 'three'\n")
        os.replace(beside, folder / "word.py")
        assert answer(url, "three") == "three"
        watching.until(" in all")

        (folder / "wherry.toml").write_text('command = ["python", "app.py"]\nport = 8000\nreplicas = 2\n')
        watching.until(" in all")
        assert engine.kubectl("get", "deployment", "watched", "-o", "jsonpath={.spec.replicas}") == "2"
        (folder / "wherry.toml").write_text("replcas = 2\n")
        watching.until('did you mean "replicas"')

        assert watching.stop() == 0
        watching.until("the app goes on")
        assert answer(url, "three") == "three"
    finally:
        watching.end()
        print("\n".join(watching.said))
