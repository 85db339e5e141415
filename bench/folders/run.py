"""One folder from its archive to an answer: `wherry up`, GET, `wherry down`, on an engine of its own."""

import contextlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.folders.fetch import Unfetched, fetch, unpacked

_SECONDS = 300
_ROLLOUT = "90s"


@dataclass(frozen=True)
class Project:
    """A line of the list."""

    file: str
    sha256: str
    folder: str = ""
    start: tuple[str, ...] = ()  # a command that nothing in the folder tells
    env: Mapping[str, str] = field(default_factory=dict)
    path: str = "/"  # the page that is asked for
    why: str = ""  # of what is given here
    cause: str = ""  # of its failure, where what it says itself does not tell

    @property
    def title(self) -> str:
        name = self.file.removesuffix(".tar.gz")
        return f"{name} {self.folder}" if self.folder else name

    @property
    def given(self) -> str:
        """What a user has to say of it, "" where nothing."""
        said = [f"start {self.start[0]}"] if self.start else []
        said += [f"env {name}" for name in self.env]
        return ", ".join([*said, *([f"path {self.path}"] if self.path != "/" else [])])

    @property
    def settings(self) -> str:
        """wherry.toml with just that, "" where the folder says all."""
        lines = [f"command = {json.dumps(list(self.start))}"] if self.start else []
        lines += ["[env]", *(f"{name} = {json.dumps(value)}" for name, value in self.env.items())]
        return "\n".join(lines)


def listed() -> list[Project]:
    """The projects of list.toml."""
    text = Path(__file__).with_name("list.toml").read_text()
    return [Project(**one) for one in tomllib.loads(text)["project"]]


@dataclass(frozen=True)
class Outcome:
    """What became of it. `status` is HTTP's, 0 where nothing answered; `failure` names why it is not 200."""

    title: str
    found: str = ""
    status: int = 0
    seconds: float = 0.0
    failure: str = ""
    given: str = ""

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

    def wherry(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "wherry.cli", *words, *self.options]
        return subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)


class Node(Protocol):
    """Runs `wherry` with its own settings, and has a place for folders."""

    @property
    def root(self) -> Path: ...

    def wherry(self, *words: str) -> subprocess.CompletedProcess[str]: ...


def tried(project: Project, engine: Node, index: str, cache: Path) -> Outcome:
    """The outcome; whatever is wrong with a folder is in it."""
    with tempfile.TemporaryDirectory(prefix="folder-", dir=engine.root) as place:
        try:
            top = unpacked(fetch(index, project.file, project.sha256, cache), Path(place))
        except (Unfetched, tarfile.TarError, OSError) as error:
            return Outcome(project.title, failure=f"fetch: {error}")
        return _brought_up(project, engine, top / project.folder, cache)


def _brought_up(project: Project, engine: Node, folder: Path, cache: Path) -> Outcome:
    begun = time.monotonic()
    for own in ("Dockerfile", "Containerfile", ".dockerignore"):
        (folder / own).unlink(missing_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", project.title.lower()).strip("-")[-40:].strip("-")
    (folder / "wherry.toml").write_text(f'name = "app-{name}"\n\n{project.settings}')
    done = None
    try:
        done = engine.wherry("up", str(folder), "-o", "json", "--timeout", _ROLLOUT)
        status, url = _asked(done.stdout, project.path)
        failure = ""
        if status != 200:
            failure = _why(done.stdout, done.stderr, url, status)
        if status >= 500:
            said = engine.wherry("logs", f"app-{name}", "--tail", "80").stdout
            failure += f": {re.sub(r'^[a-z0-9-]+ [|] ', '', _last(said))}"
            (cache / f"{name}.said").write_text(said)
    except subprocess.TimeoutExpired:
        status, failure = 0, f"not built and up within {_SECONDS} s"
    seconds = round(time.monotonic() - begun, 1)
    told = done.stderr if done else ""
    if done:
        (cache / f"{name}.log").write_text(f"{told}{done.stdout}")
    engine.wherry("down", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    return Outcome(project.title, " ".join(project.start) or _found(told), status, seconds, failure, project.given)


def _found(told: str) -> str:
    """The command that `up` says it found."""
    match = re.search(r"made in layers, to run (.*)", told)
    return match[1].strip() if match else ""


def _asked(printed: str, path: str) -> tuple[int, str]:
    """The status of the page that `up` names, redirects followed; 0 where there is none."""
    try:
        url = json.loads(printed)["urls"][0]["url"].rstrip("/") + path
    except (json.JSONDecodeError, KeyError, IndexError):
        return 0, ""
    request = urllib.request.Request(url, headers={"Host": "localhost", "Accept": "text/html,*/*"})  # noqa: S310  as `up` printed it
    try:
        with urllib.request.build_opener(_Same).open(request, timeout=30) as answer:
            return answer.status, url
    except urllib.error.HTTPError as error:
        return error.code, url
    except OSError:
        return 0, url


class _Same(urllib.request.HTTPRedirectHandler):
    """What an app calls `localhost` is the address that was asked, where other apps have others."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        to = urllib.parse.urlsplit(newurl)
        if to.hostname == "localhost":
            newurl = to._replace(netloc=urllib.parse.urlsplit(req.full_url).netloc).geturl()
        return super().redirect_request(req, fp, code, msg, headers, newurl)


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
