"""One folder from its archive to an answer: `wherry init`, `wherry up`, GET, `wherry down`, on an engine of its own."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.folders.fetch import Unfetched, fetch, unpack

BASE = "localhost/wherry/python:3.11"
_SECONDS = 180
_ROLLOUT = "40s"


@dataclass(frozen=True)
class Project:
    """A line of the list."""

    file: str
    sha256: str
    folder: str = ""

    @property
    def title(self) -> str:
        name = self.file.removesuffix(".tar.gz")
        return f"{name} {self.folder}" if self.folder else name


@dataclass(frozen=True)
class Outcome:
    """What became of it. `status` is HTTP's, 0 where nothing answered; `failure` names why it is not 200."""

    title: str
    found: str = ""
    status: int = 0
    seconds: float = 0.0
    failure: str = ""

    @property
    def line(self) -> str:
        return f"{self.title:55} {self.status:3} {self.seconds:6.1f} s  {self.found[:60]}  {self.failure[:160]}"


@dataclass(frozen=True)
class Engine:
    """A node with a state, ports and networks apart from any other's."""

    root: Path
    slot: int = 0

    @property
    def options(self) -> tuple[str, ...]:
        name, slot = f"wfolders{self.slot}", self.slot
        return (
            *("--name", name, "--bridge", name, "--port", str(17943 + slot)),
            *("--state", str(self.root / "st"), "--run-dir", str(self.root / "rn")),
            *("--pod-network", f"10.191.{4 * slot}.0/22", "--service-network", f"10.192.{slot}.0/24"),
            *("--node-ports", f"{29700 + 30 * slot}-{29729 + 30 * slot}"),
        )

    @contextlib.contextmanager
    def up(self) -> Iterator["Engine"]:
        """Started, with the base image; reset at the end."""
        try:
            for words in (("node", "start"), ("image", "base")):
                done = self.wherry(*words)
                if done.returncode:
                    raise SystemExit(f"wherry {' '.join(words)}: {done.stdout}{done.stderr}")
            yield self
        finally:
            self.wherry("node", "reset", "--yes")

    def wherry(self, *words: str, flags: bool = True) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "wherry.cli", *words, *(self.options if flags else ())]
        return subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)


def tried(project: Project, engine: Engine, index: str, cache: Path) -> Outcome:
    """The outcome; whatever is wrong with a folder is in it."""
    with tempfile.TemporaryDirectory(prefix="folder-", dir=engine.root) as place:
        try:
            top = unpack(fetch(index, project.file, project.sha256, cache), Path(place))
        except (Unfetched, OSError) as error:
            return Outcome(project.title, failure=f"fetch: {error}")
        return _brought_up(project, engine, top / project.folder, cache)


def _brought_up(project: Project, engine: Engine, folder: Path, cache: Path) -> Outcome:
    begun = time.monotonic()
    for own in ("Dockerfile", "Containerfile", ".dockerignore"):
        (folder / own).unlink(missing_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", project.title.lower()).strip("-")[:40]
    made = engine.wherry("init", str(folder), "--base", BASE, "--name", name, flags=False)
    if made.returncode:
        return Outcome(project.title, failure=f"detection: {_last(made.stderr)}")
    found = next((line.removeprefix("start  ") for line in made.stderr.splitlines() if line.startswith("start  ")), "")
    try:
        done = engine.wherry("up", str(folder), "-o", "json", "--timeout", _ROLLOUT)
        status, url = _asked(done.stdout)
        (cache / f"{name}.log").write_text(f"{made.stderr}{done.stderr}{done.stdout}")
        seconds = round(time.monotonic() - begun, 1)
        failure = "" if status == 200 else _why(done.stdout, done.stderr, url, status)
    except subprocess.TimeoutExpired:
        status, seconds, failure = 0, float(_SECONDS), f"not built and up within {_SECONDS} s"
    engine.wherry("down", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(project.title, found, status, seconds, failure)


def _asked(printed: str) -> tuple[int, str]:
    """The status of the page that `up` names, redirects followed; 0 where there is none."""
    try:
        url = json.loads(printed)["urls"][0]["url"]
    except (json.JSONDecodeError, KeyError, IndexError):
        return 0, ""
    request = urllib.request.Request(url, headers={"Host": "localhost", "Accept": "text/html,*/*"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, url
    except urllib.error.HTTPError as error:
        return error.code, url
    except OSError:
        return 0, url


def _why(printed: str, told: str, url: str, status: int) -> str:
    """One line: of the rollout, of the build, or of the answer."""
    if status:
        return f"HTTP {status}"
    try:
        result = json.loads(printed)
    except json.JSONDecodeError:
        return f"build: {_last(told)}"
    failure, log = result.get("failure") or {}, result.get("log") or []
    said = _last("\n".join(log))
    return f"start: {failure.get('reason', 'no answer')}: {said or failure.get('message', url)}"


def _last(text: str) -> str:
    """The line that names the error, else the last one."""
    lines = [line.strip(" |") for line in text.splitlines() if line.strip(" |")]
    named = [line for line in lines if re.search(r"Error|Exception|error:|not found|No module|rror while", line)]
    return (named or lines or ["nothing was said"])[-1][:300]
