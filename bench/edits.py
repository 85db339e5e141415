"""From an edited file to the changed pod's answer: `wherry up --watch` in layers, `wherry up` of a Dockerfile."""

import asyncio
import contextlib
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench.cluster import Cluster
from bench.engine import NETWORK, ready
from wherry.process import run

ANSWER_SECONDS = 120.0
PAUSE_SECONDS = 0.01  # between questions: more of them would take the processor from the pod that starts
_URL = re.compile(r"(http://\S+)")


@contextlib.asynccontextmanager
async def engine() -> AsyncIterator[tuple[Path, tuple[str, ...]]]:
    """The state's directory of an engine of the bench's own, and the options that mean it."""
    with tempfile.TemporaryDirectory(prefix="wherry-bench-edits-", dir="/var/tmp") as place:
        state = Path(place) / "state"
        flags = ("--name", "bench", "--state", str(state), "--run-dir", str(Path(place) / "run"), *NETWORK)
        try:
            await _wherry("node", "start", "--no-kubeconfig", *flags)
            await ready(state / "kubeconfig")
            yield state, flags
        finally:
            await _wherry("node", "reset", "--yes", *flags)


async def watched(
    folder: Path, edit: Callable[[str], None], flags: tuple[str, ...], kubeconfig: Path, rounds: int
) -> list[float]:
    """Milliseconds of each edit, while `wherry up --watch` runs; what it says of the phases goes to stderr."""
    argv = (sys.executable, "-u", "-m", "wherry.cli", "up", str(folder), "--watch", "--progress", "quiet", *flags)
    child = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert child.stdout is not None, "it is a pipe"
    try:
        url, took = await _said(child.stdout, _URL), []
        await _said(child.stdout, re.compile("(watching)"))
        for number in range(rounds):
            word = f"w{number}x{time.time_ns()}"
            await _rest(kubeconfig)
            begun = time.perf_counter()
            edit(word)
            await _answer(url, word)
            took.append(1000 * (time.perf_counter() - begun))
            print(await _said(child.stdout, re.compile(r"(.* in all)")), file=sys.stderr)
        return took
    finally:
        child.terminate()
        await child.wait()


async def brought_up(
    folder: Path, edit: Callable[[str], None], flags: tuple[str, ...], kubeconfig: Path, rounds: int
) -> list[float]:
    """The same, each edit by a `wherry up` of its own."""
    url = _URL.search(await _wherry("up", str(folder), "--progress", "quiet", *flags))
    assert url is not None, "an app that is up has an address"
    took = []
    for number in range(rounds):
        word = f"b{number}x{time.time_ns()}"
        await _rest(kubeconfig)
        begun = time.perf_counter()
        edit(word)
        async with asyncio.TaskGroup() as both:
            both.create_task(_wherry("up", str(folder), "--progress", "quiet", *flags))
            await _answer(url[1], word)
            took.append(1000 * (time.perf_counter() - begun))
    return took


async def _answer(url: str, word: str) -> None:
    """Ask on new connections until the answer is `word`."""
    place = urlsplit(url)
    request = f"GET / HTTP/1.1\r\nHost: {place.netloc}\r\nConnection: close\r\n\r\n".encode()
    async with asyncio.timeout(ANSWER_SECONDS):
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(place.hostname, place.port or 80)
                writer.write(request)
                answer = await reader.read()
                writer.close()
                if answer.endswith(word.encode()):
                    return
            await asyncio.sleep(PAUSE_SECONDS)


async def _rest(kubeconfig: Path) -> None:
    """Wait until no pod of the edit before ends any more."""
    async with Cluster(kubeconfig) as cluster, asyncio.timeout(ANSWER_SECONDS):
        path = "/api/v1/namespaces/default/pods"
        while any(  # noqa: ASYNC110 - a bench may ask ten times a second
            "deletionTimestamp" in pod["metadata"] for pod in (await cluster.call("GET", path))["items"]
        ):
            await asyncio.sleep(0.1)


async def _said(lines: asyncio.StreamReader, wanted: re.Pattern[str]) -> str:
    seen = []
    async with asyncio.timeout(ANSWER_SECONDS):
        while line := (await lines.readline()).decode():
            seen.append(line)
            if found := wanted.search(line):
                return found[1]
    raise SystemExit(f"wherry up --watch ended: {''.join(seen)}")


async def _wherry(*words: str) -> str:
    done = await run(sys.executable, "-m", "wherry.cli", *words, timeout=600)
    return done.stdout
